/**
 * Makes a checkout ready to run: packages, compiled TypeScript, engine. Called by `npm start`, `npm test` and
 * `npm run setup`; needs nothing but Node. Each step is done only when something that it depends on has changed, says
 * what it does and how long it took, and a second call does nothing in a fraction of a second.
 *
 * `--look-again` (npm run setup) also asks Python whether it has a torch by now; otherwise the libtorch of the last
 * set-up is kept while it is there.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const inRoot = (...parts) => join(root, ...parts);

/** Ends the process with a message for people. */
function fail(message) {
  process.stderr.write(`\nset-up stopped: ${message}\n`);
  process.exit(1);
}

function log(line) {
  process.stderr.write(`set-up: ${line}\n`);
}

function timed(what, work) {
  log(`${what} …`);
  const started = performance.now();
  work();
  log(`${what} took ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

const runs = (program, ...args) => spawnSync(program, args, { stdio: 'ignore' }).status === 0;

/** Everything that is missing on this machine, at once. */
function checkMachine() {
  const problems = [];
  const packages = [];
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    problems.push(`Node 20.19 or newer is needed; this is ${process.versions.node} (https://nodejs.org)`);
  }
  const compiler = process.env.CXX || 'g++';
  if (!runs(compiler, '--version')) {
    problems.push(`the C++ compiler \`${compiler}\` is missing`);
    packages.push('g++');
  }
  // Python is only asked for libtorch, and not when that is given.
  const python = process.env.TESSERA_PYTHON || 'python3';
  if (!process.env.TESSERA_LIBTORCH && !runs(python, '-m', 'pip', '--version')) {
    problems.push(`\`${python} -m pip\` does not run (Python 3 with pip)`);
    packages.push('python3', 'python3-pip');
  }
  if (problems.length === 0) return;
  const remedy = packages.length > 0 ? `\nDebian and Ubuntu: apt-get install -y ${packages.join(' ')}` : '';
  fail(`this machine lacks something:\n${problems.map((problem) => `  ${problem}`).join('\n')}${remedy}`);
}

function stampHolds(file, content) {
  return existsSync(file) && readFileSync(file, 'utf8') === content;
}

function installPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(inRoot('package-lock.json')))
    .digest('hex');
  const stamp = inRoot('node_modules', '.tessera-lock');
  if (stampHolds(stamp, lock)) return;
  timed('installing npm packages', () => {
    // Not `npm ci`: it refuses the lock file when a registry lacks a package for another platform (an optional one of
    // Biome for Android, say), which this takes in its stride. Versions and hashes are those of the lock file either way.
    const args = ['install', '--no-save', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
    const { status, error } = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 2, 2] });
    if (error) fail(`npm did not start: ${error.message}`);
    if (status !== 0) {
      fail(
        `npm install ended with exit code ${status}; its message above names the package.\nA mirror or a proxy is set with \`npm config set registry URL\` and \`npm config set proxy URL\`.`,
      );
    }
  });
  writeFileSync(stamp, lock);
}

/** Path, size and time of everything that the compiled TypeScript depends on. */
function describeSources() {
  const sources = readdirSync(inRoot('src'), { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('src', name));
  return [...sources, 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'].sort().map((name) => {
    const { size, mtimeMs } = statSync(inRoot(name));
    return `${name} ${size} ${mtimeMs}`;
  });
}

function compileTypeScript() {
  const stamp = inRoot('dist', '.sources');
  const sources = describeSources().join('\n');
  if (stampHolds(stamp, sources)) return;
  timed('compiling TypeScript (tsc)', () => {
    const compiler = inRoot('node_modules', 'typescript', 'bin', 'tsc');
    const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
      cwd: root,
      stdio: ['ignore', 2, 2],
    });
    if (status !== 0) fail('TypeScript does not compile; the messages are above.');
  });
  removeOrphans();
  writeFileSync(stamp, sources);
}

/** Modules whose source was deleted or renamed must not stay importable. */
function removeOrphans() {
  for (const name of readdirSync(inRoot('dist'), { recursive: true })) {
    const [, path] = /^(.*?)(?:\.d\.ts|\.js|\.js\.map)$/.exec(name) ?? [];
    if (path && !existsSync(inRoot('src', `${path}.ts`))) rmSync(inRoot('dist', name));
  }
}

async function setUpEngine() {
  const { setUpEngine } = await import('../dist/engine/set-up-engine.js');
  try {
    const { installation, changed } = await setUpEngine(log, process.argv.includes('--look-again'));
    const { version, origin, root } = installation.libtorch;
    if (changed) log(`done: libtorch ${version} (${origin}, ${root})`);
  } catch (error) {
    if (!error.code) throw error;
    fail(`${error.message}${error.hint ? `\n${error.hint}` : ''}`);
  }
}

const started = performance.now();
if (!existsSync(inRoot('node_modules', '.tessera-lock')) || !existsSync(inRoot('build', 'native', 'current.json')))
  checkMachine();
installPackages();
compileTypeScript();
await setUpEngine();
if (process.argv.includes('--look-again'))
  log(`everything is ready (${((performance.now() - started) / 1000).toFixed(1)} s)`);
