/**
 * Runs everything: static checks, the comparison of generated files, and the tests without engine, with engine, and of
 * the command line. Arguments go to Vitest (`npm test -- tests/pure/data`, `npm test -- -t pattern`), and the checks are
 * left out then. The last line counts everything: `N passed, N failed` (and `, N skipped`); a check counts as one.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const passedOn = process.argv.slice(2);
const totals = { passed: 0, failed: 0, skipped: 0 };
const failures = [];

/** Runs a program of node_modules/.bin, or a script of ours with Node; its output goes straight through. */
function run(program, args) {
  const [command, first] = program.endsWith('.js')
    ? [process.execPath, [program]]
    : [join('node_modules', '.bin', program), []];
  return spawnSync(command, [...first, ...args], { cwd: root, stdio: 'inherit' }).status === 0;
}

function check(name, program, ...args) {
  const started = performance.now();
  const passed = run(program, args);
  totals[passed ? 'passed' : 'failed'] += 1;
  if (!passed) failures.push(name);
  console.log(`${passed ? 'passed' : 'FAILED'}: ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

function test(project, folder) {
  const report = join(folder, `${project}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const passed = run('vitest', ['run', '--project', project, '--passWithNoTests', ...reporters, ...passedOn]);
  const counted = count(report);
  // A file that does not load has no tests, and an error outside of tests belongs to none.
  if (!passed && counted.failed === 0) counted.failed = 1;
  for (const kind of Object.keys(totals)) totals[kind] += counted[kind];
  if (!passed) failures.push(`tests/${project}`);
}

function count(report) {
  try {
    const { numPassedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
    const broken = testResults.filter(
      ({ status, assertionResults }) => status === 'failed' && !assertionResults.some(isFailed),
    );
    const failed = testResults.flatMap(({ assertionResults }) => assertionResults).filter(isFailed);
    return {
      passed: numPassedTests,
      failed: failed.length + broken.length,
      skipped: numPendingTests + numTodoTests,
    };
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

function isFailed({ status }) {
  return status === 'failed';
}

if (passedOn.length === 0) {
  check('format and lint (biome)', 'biome', 'check', '--error-on-warnings', '.');
  check('types (tsc)', 'tsc', '--noEmit');
  check('layers (dependency-cruiser)', 'depcruise', '--config', '.dependency-cruiser.cjs', 'src');
  check('unused code (knip)', 'knip');
  check('generated files', 'dist/engine/generate-ops.js', '--check');
}
const folder = mkdtempSync(join(tmpdir(), 'tessera-test-'));
try {
  for (const project of ['pure', 'engine', 'e2e']) test(project, folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (totals.passed + totals.failed + totals.skipped === 0) {
  console.error(`no test matches ${passedOn.join(' ')}`);
  totals.failed = 1;
}
if (failures.length > 0) console.log(`failed: ${failures.join(', ')}`);
console.log(
  `${totals.passed} passed, ${totals.failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''}`,
);
process.exitCode = totals.failed > 0 ? 1 : 0;
