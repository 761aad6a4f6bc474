import { closeSync, openSync, readSync } from 'node:fs';
import { cpus } from 'node:os';

/** The processor that the addon is compiled for. */
export interface Processor {
  readonly model: string;
  /** Vector extensions that matter for matrix products, for example `avx2`, `avx512f`, `amx_bf16`. */
  readonly vector: readonly string[];
  /** Equal on machines that can run each other's `-march=native` code. */
  readonly signature: string;
}

const extensions = /\b(?:fma|avx2|avx512f|avx512_bf16|avx512_vnni|amx_bf16|asimd|bf16|sve|sve2)\b/g;

/** Describes this machine's processor: on Linux from the first entry of /proc/cpuinfo, elsewhere by its name alone. */
export function describeProcessor(): Processor {
  const text = firstProcessor();
  const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(text)?.[1] ?? '';
  const model = /^model name\s*:\s*(.*)$/m.exec(text)?.[1] ?? cpus()[0]?.model ?? process.arch;
  return {
    model,
    vector: [...new Set(flags.match(extensions))],
    signature: `${process.arch} ${model} ${flags}`,
  };
}

/** The kernel writes /proc/cpuinfo as it is read, so only the first entry is asked for: many cores would take long. */
function firstProcessor(): string {
  if (process.platform !== 'linux') return '';
  const file = openSync('/proc/cpuinfo', 'r');
  try {
    const buffer = Buffer.alloc(8192);
    return buffer.toString('utf8', 0, readSync(file, buffer)).split('\n\n')[0] ?? '';
  } finally {
    closeSync(file);
  }
}
