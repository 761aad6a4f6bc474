import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Fills a folder with the files by which a libtorch is recognised, all of them empty but the version. */
export function fakeLibtorch(root: string, version: string | undefined, { cuda = false } = {}): string {
  const libraries = ['libtorch_cpu.so', 'libc10.so', 'libgomp.so.1', ...(cuda ? ['libtorch_cuda.so'] : [])];
  mkdirSync(join(root, 'lib'), { recursive: true });
  mkdirSync(join(root, 'include', 'ATen'), { recursive: true });
  for (const name of libraries) writeFileSync(join(root, 'lib', name), '');
  if (version !== undefined) writeFileSync(join(root, 'version.py'), `__version__ = '${version}'\ndebug = False\n`);
  return root;
}

/** An executable that runs a shell script, to stand in for a compiler or for Python. */
export function fakeProgram(folder: string, name: string, script: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}
