/** Compiles the examples and runs one of them: `npm run example search-photos -- ARGUMENTS`. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const [name, ...args] = process.argv.slice(2);
const names = readdirSync(join(root, 'examples')).map((file) => file.replace(/\.ts$/, ''));
if (!names.includes(name)) {
  console.error(`expected the name of an example (${names.join(', ')}), received ${name ?? 'nothing'}`);
  process.exit(2);
}
if (!existsSync(join(root, 'dist'))) {
  console.error('Tessera is not built here; run npm run setup first.');
  process.exit(1);
}
const run = (command, rest) => spawnSync(command, rest, { stdio: 'inherit' }).status ?? 1;
const compiled = run(join(root, 'node_modules/.bin/tsc'), ['-p', join(root, 'tsconfig.examples.json')]);
process.exit(compiled || run(process.execPath, [join(root, 'build/examples', `${name}.js`), ...args]));
