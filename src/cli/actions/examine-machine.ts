import { existsSync, statfsSync } from 'node:fs';
import { availableParallelism, freemem, release, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { cacheFolder, packageRoot } from '../../engine/folders.js';
import { compilerVersion } from '../../engine/plan-addon.js';
import { describeProcessor } from '../../engine/processor.js';
import { runProgram } from '../../engine/run-program.js';

/** What `doctor` says about the machine; texts are for people, numbers are bytes. */
export interface Machine {
  readonly node: string;
  readonly platform: { system: string; arch: string; glibc: string | undefined; tested: boolean };
  readonly processor: { model: string; vector: readonly string[]; cores: number };
  readonly memory: { total: number; free: number };
  /** Free bytes where the checkout lies and where the private copy of libtorch goes. */
  readonly disk: { checkout: number; cache: number };
  /** First line of what each tool says of its version; undefined when it is missing. */
  readonly tools: { compiler: string | undefined; python: string | undefined; pip: string | undefined };
  /** Whether the driver of an NVIDIA GPU is loaded. */
  readonly nvidiaDriver: boolean;
}

/** Looks at the machine: a few short processes, nothing is changed. */
export async function examineMachine(env: NodeJS.ProcessEnv = process.env): Promise<Machine> {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const { model, vector } = describeProcessor();
  const python = env.TESSERA_PYTHON || 'python3';
  const [compiler, pythonVersion, pip] = await Promise.all([
    compilerVersion(env.CXX || 'g++', env).then(firstLine, () => undefined),
    versionOf(python, '--version'),
    versionOf(python, '-m', 'pip', '--version'),
  ]);
  return {
    node: process.versions.node,
    platform: {
      system: `${process.platform} ${release()}`,
      arch: process.arch,
      glibc: header.glibcVersionRuntime,
      tested: isTested(header.glibcVersionRuntime),
    },
    processor: { model, vector, cores: availableParallelism() },
    memory: { total: totalmem(), free: freemem() },
    disk: { checkout: freeBytes(packageRoot), cache: freeBytes(cacheFolder(env)) },
    tools: { compiler, python: pythonVersion, pip },
    nvidiaDriver: existsSync('/proc/driver/nvidia/version'),
  };
}

/** Linux on x86-64 with glibc 2.28 or newer; everything else is best effort. */
function isTested(glibc: string | undefined): boolean {
  const [major = 0, minor = 0] = (glibc ?? '').split('.').map(Number);
  const newEnough = major > 2 || (major === 2 && minor >= 28);
  return process.platform === 'linux' && process.arch === 'x64' && newEnough;
}

async function versionOf(program: string, ...args: string[]): Promise<string | undefined> {
  const { code, output } = await runProgram(program, args);
  return code === 0 ? firstLine(output) : undefined;
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

function freeBytes(folder: string): number {
  const there = existsSync(folder) ? folder : dirname(folder);
  if (there !== folder) return freeBytes(there);
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}
