import { spawn } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { readMetrics } from '../../src/runs/event-log.js';
import { RunFolder } from '../../src/runs/run-folder.js';
import { lastJson, runTessera, tesseraBinary } from '../support/run-tessera.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const recipe = fileURLToPath(new URL('../fixtures/capi-test.yaml', import.meta.url));
const data = 'scenes://?split=train&count=40&size=32';
const pretrain = (out: string, ...more: string[]) => [
  ...['pretrain', recipe, '--data', data, '--out', out, '--threads', '1', '--json'],
  ...more,
];

/** Everything that a step computed, by step. */
function losses(out: string): Map<number, readonly number[]> {
  return new Map(
    readMetrics(RunFolder.open(out)).map(({ step, values }) => [
      step,
      ['loss', 'clustering', 'gradientNorm', 'targetEntropy'].map((name) => values[name]!),
    ]),
  );
}

function uninterrupted(folder: string): Map<number, readonly number[]> {
  const out = join(folder, 'whole');
  const { code, stdout, stderr } = runTessera(pretrain(out));
  expect(code, stderr).toBe(0);
  expect(lastJson(stdout)).toMatchObject({ steps: 30, run: out });
  const all = losses(out);
  expect(all.size).toBe(30);
  return all;
}

it('repeats the losses of an uninterrupted run bit for bit after a stop', () => {
  const folder = temporaryFolder();
  const whole = uninterrupted(folder);
  const out = join(folder, 'stopped');
  expect(runTessera(pretrain(out, '--max-steps', '15')).code).toBe(0);
  expect(losses(out).size).toBe(15);
  const { code, stdout } = runTessera(pretrain(out, '--resume'));
  expect(code).toBe(0);
  expect(lastJson(stdout)).toMatchObject({ steps: 30 });
  expect(losses(out)).toEqual(whole);
  expect(readdirSync(join(out, 'checkpoints')).sort()).toEqual(['step-20', 'step-25', 'step-30']);
});

it('survives twenty kills at random instants', async () => {
  const folder = temporaryFolder();
  const whole = uninterrupted(folder);
  const out = join(folder, 'killed');
  const saveAlways = 'train.checkpointEvery=1';
  let kills = 0;
  let partial = 0;
  for (let attempt = 0; attempt < 60 && kills < 20; attempt++) {
    const resume = RunFolder.isRun(out) ? ['--resume'] : [];
    // Half of the kills fall into the writing of a checkpoint, the others anywhere after the first instant.
    const killed = await runAndKill(
      pretrain(out, saveAlways, ...resume),
      out,
      attempt % 2 === 0,
      (attempt * 137) % 900,
    );
    if (killed) kills++;
    if (!existsSync(join(out, 'checkpoints'))) continue;
    const names = readdirSync(join(out, 'checkpoints'));
    if (names.some((name) => name.includes('.partial-'))) partial++;
    if (RunFolder.open(out).latestCheckpoint()?.step === 30) break;
  }
  expect(kills, 'kills').toBeGreaterThanOrEqual(10);
  process.stdout.write(`${kills} kills, ${partial} of them within a checkpoint\n`);
  expect(partial, 'kills that left a half-written checkpoint').toBeGreaterThan(0);
  const { code, stderr } = runTessera(pretrain(out, saveAlways, '--resume'));
  expect(code, stderr).toBe(0);
  expect(losses(out)).toEqual(whole);
});

/** Starts a run and kills it, when a checkpoint is being written or after a time; false if it ended before. */
function runAndKill(args: string[], out: string, inCheckpoint: boolean, afterMs: number): Promise<boolean> {
  const child = spawn(process.execPath, [tesseraBinary, ...args], { stdio: 'ignore' });
  const checkpoints = join(out, 'checkpoints');
  const watch = setInterval(() => {
    if (!inCheckpoint || !existsSync(checkpoints)) return;
    if (readdirSync(checkpoints).some((name) => name.includes(`.partial-${child.pid}`))) child.kill('SIGKILL');
  }, 1);
  const timer = inCheckpoint ? undefined : setTimeout(() => child.kill('SIGKILL'), 600 + afterMs);
  return new Promise((resolve) =>
    child.on('exit', (_, signal) => {
      clearInterval(watch);
      clearTimeout(timer);
      resolve(signal === 'SIGKILL');
    }),
  );
}

it('saves and exits with 130 at SIGTERM, and goes on from there', async () => {
  const folder = temporaryFolder();
  const out = join(folder, 'run');
  const child = spawn(process.execPath, [tesseraBinary, ...pretrain(out)], { stdio: 'ignore' });
  const watch = setInterval(() => {
    if (!existsSync(join(out, 'checkpoints', 'step-5'))) return;
    // A second signal would end it at once.
    clearInterval(watch);
    child.kill('SIGTERM');
  }, 2);
  const code = await new Promise((resolve) => child.on('exit', resolve));
  clearInterval(watch);
  expect(code).toBe(130);
  const { latest, status } = {
    latest: RunFolder.open(out).latestCheckpoint()!,
    status: readFileSync(join(out, 'status.json'), 'utf8'),
  };
  expect(latest.step).toBeGreaterThanOrEqual(5);
  expect(JSON.parse(status)).toMatchObject({ state: 'stopped', reason: 'SIGTERM', step: latest.step });
  expect(runTessera(pretrain(out, '--resume')).code).toBe(0);
  expect(losses(out).size).toBe(30);
});

it('refuses to resume from a damaged checkpoint, on other images, or with another configuration', () => {
  const folder = temporaryFolder();
  const out = join(folder, 'run');
  expect(runTessera(pretrain(out, '--max-steps', '5')).code).toBe(0);
  const fails = (args: string[], code: number, pattern: RegExp) => {
    const result = runTessera(args);
    expect(result.stderr).toMatch(pattern);
    expect(result.code).toBe(code);
  };
  fails(pretrain(out), 2, /there is a run at .* already\nContinue it with --resume/);
  fails(pretrain(out, '--resume', 'optim.lr=0.5'), 2, /optim\.lr: the run has 0\.001, now 0\.5/);
  const others = pretrain(out, '--resume').map((argument) =>
    argument === data ? 'scenes://?split=train&count=41&size=32' : argument,
  );
  fails(others, 1, /was trained on other images/);

  const student = join(out, 'checkpoints', 'step-5', 'student.safetensors');
  cpSync(student, `${student}.good`);
  const bytes = readFileSync(student);
  bytes[bytes.length - 9]! ^= 1;
  writeFileSync(student, bytes);
  fails(pretrain(out, '--resume'), 1, /student\.safetensors is damaged: its content differs.*\nDelete that checkpoint/);
  writeFileSync(student, bytes.subarray(0, 100));
  fails(pretrain(out, '--resume'), 1, /damaged: expected \d+ bytes, found 100/);
  cpSync(`${student}.good`, student);
  expect(runTessera(pretrain(out, '--resume', '--max-steps', '6')).code).toBe(0);
});
