import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { flagOf } from '../../../src/cli/option-reader.js';
import { tasks } from '../../../src/evals/tasks.js';
import { lastJson, runTessera, tesseraBinary } from '../../support/run-tessera.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { exampleRun } from '../runs/example-run.js';

test('--help lists every command, and every command has help with examples', () => {
  const { code, stdout } = runTessera(['--help']);
  expect(code).toBe(0);
  const commands = [
    'quickstart',
    'pretrain',
    'eval',
    'features',
    'visualise',
    'convert',
    'export',
    'runs',
    'bench',
    'doctor',
    'setup',
  ];
  for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
  for (const command of ['pretrain', 'runs show', 'doctor']) {
    expect(runTessera([...command.split(' '), '--help']).stdout).toContain(`Examples:\n  tessera ${command}`);
  }
});

/** Files of ours and packages that a command loads. */
function loadedFiles(args: readonly string[]): string[] {
  const hooks = `import { writeSync } from 'node:fs';
    export async function resolve(name, context, next) {
      const found = await next(name, context);
      writeSync(2, found.url + ' ');
      return found;
    }`;
  const data = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;
  const preload = `import { register } from 'node:module'; register(${JSON.stringify(data(hooks))});`;
  const { stderr } = spawnSync(process.execPath, ['--import', data(preload), tesseraBinary, ...args], {
    encoding: 'utf8',
  });
  return stderr.split(' ').filter((url) => url.startsWith('file:'));
}

test('--help is fast: it loads commander and light files of ours, nothing else', () => {
  const files = loadedFiles(['--help']);
  expect(files.some((url) => url.endsWith('/dist/cli/main.js'))).toBe(true);
  const allowed = /\/(node_modules\/commander|bin|dist\/(cli|support))\//;
  expect(files.filter((url) => !allowed.test(url))).toEqual([]);
});

test('every task of eval has help with its own options, made without the engine', () => {
  const files = loadedFiles(['eval', '--help']);
  const allowed = /\/(node_modules\/(commander|zod)|bin|dist\/(cli|support|config|evals))\//;
  expect(files.filter((url) => !allowed.test(url))).toEqual([]);
  expect(tasks.length).toBeGreaterThan(2);
  for (const task of tasks) {
    const { code, stdout } = runTessera(['eval', task.name, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(`Examples:\n  tessera eval ${task.name} --model`);
    for (const key of Object.keys(task.options.shape)) expect(stdout).toContain(`  ${flagOf(key)}`);
    for (const role of Object.keys(task.data)) expect(stdout).toContain(`  --${role} <spec>`);
  }
}, 60_000);

test.each([
  [['pretrian'], 'Did you mean pretrain?'],
  [['pretrain', 'capi', '--thread', '3'], 'Did you mean --threads?'],
  [['pretrain', 'capi', '--optimizer.lr=3'], 'Values of a recipe are written without dashes: key.path=value'],
  [['pretrain'], "missing required argument 'recipe'"],
  [['convert', 'a', 'b.bin'], 'OUT: expected a file ending in .safetensors, .pth, .pt, .th, received b.bin'],
  [['eval', 'knm', '--model', 'm', '--train', 'a', '--test', 'b'], 'Did you mean knn?'],
  [
    ['eval', 'knn', '--model', 'm', '--train', 'a', '--test', 'b', '--kk', '3'],
    'unknown option --kk; did you mean --k?',
  ],
  [['runs', 'compare', 'a'], 'expected two run folders or more, received 1'],
  [['runs', 'show', 'nowhere'], 'no run at nowhere'],
])('wrong usage %j exits 2 and says what was meant', (args, text) => {
  const { code, stdout, stderr } = runTessera(args);
  expect(stderr).toContain(text);
  expect(stdout).toBe('');
  expect(code).toBe(2);
});

test('all wrong options are told at once, to scripts as well', () => {
  const { code, stdout, stderr } = runTessera(['pretrain', 'capi', '--threads', '0', '--device', 'gpu', '--json']);
  for (const name of ['--data', '--out', '--threads', '--device']) expect(stderr).toContain(`\n  ${name}`);
  expect(lastJson(stdout)).toMatchObject({ error: { code: 'USAGE' } });
  expect(code).toBe(2);
});

test('a stack is shown only with --trace', () => {
  expect(runTessera(['runs', 'show', 'nowhere']).stderr).not.toContain('    at ');
  expect(runTessera(['runs', 'show', 'nowhere', '--trace']).stderr).toContain('    at ');
});

test('runs list, show and compare read run folders', () => {
  const folder = temporaryFolder();
  const events = [
    { type: 'metrics', step: 50, values: { loss: 4.5 } },
    { type: 'evaluation', step: 100, task: 'knn', encoder: 'teacher', metrics: { top1: 61.25 } },
  ] as const;
  exampleRun(join(folder, 'first'), 'optimizer:\n  lr: 0.001 # recipe\nseed: 0 # default\n', events);
  exampleRun(join(folder, 'second'), 'optimizer:\n  lr: 0.002 # command line\nseed: 0 # default\n', events);

  const list = runTessera(['runs', 'list', folder]);
  expect(list).toMatchObject({ code: 0, stderr: '' });
  expect(list.stdout).toMatch(/^first +capi +finished +100\/100 +4\.5 +knn top1 61\.3 % at step 100 /m);
  expect(lastJson(runTessera(['runs', 'list', '--json'], folder).stdout)).toMatchObject({
    error: { code: 'USAGE' },
  });

  const show = runTessera(['runs', 'show', join(folder, 'second')]);
  expect(show.stdout).toContain('optimizer.lr: 0.002 (command line)');
  expect(show.stdout).not.toContain('seed');
  const document = lastJson(runTessera(['runs', 'show', join(folder, 'second'), '--json']).stdout);
  expect(document).toMatchObject({ state: 'finished', lossLast: 4.5, facts: { engine: '2.11.0' } });

  const pair = [join(folder, 'first'), join(folder, 'second')];
  expect(lastJson(runTessera(['runs', 'compare', ...pair, '--json']).stdout)).toMatchObject({
    runs: [{ name: 'first' }, { name: 'second' }],
    differences: [{ key: 'optimizer.lr', values: [0.001, 0.002] }],
    lossAt: { step: 50, losses: [4.5, 4.5] },
  });
  expect(runTessera(['runs', 'compare', ...pair]).stdout).toMatch(/^optimizer\.lr +0\.001 +0\.002$/m);
});

test('a checkout that was not set up says what to type', () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'bin'));
  cpSync(tesseraBinary, join(folder, 'bin', 'tessera.mjs'));
  const { status, stderr } = spawnSync(process.execPath, [join(folder, 'bin', 'tessera.mjs')], {
    encoding: 'utf8',
  });
  expect(stderr).toContain('run: npm run setup');
  expect(status).toBe(1);
});
