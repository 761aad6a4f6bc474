import { mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RunFolder } from '../../../src/runs/run-folder.js';
import { Heartbeat, type RunStatus, readStatus, shownState } from '../../../src/runs/run-status.js';
import { UsageError } from '../../../src/support/errors.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const gonePid = 2 ** 22 + 1;

function running(overrides: Partial<RunStatus> = {}): RunStatus {
  const updated = new Date().toISOString();
  return { state: 'running', step: 3, steps: 10, pid: gonePid, host: hostname(), updated, ...overrides };
}

function makeRun(status?: RunStatus): string {
  const run = RunFolder.create(join(temporaryFolder(), 'first'));
  writeFileSync(run.config, 'method: capi\n');
  if (status) writeFileSync(run.status, JSON.stringify(status));
  return run.path;
}

test('an existing run is refused unless it is resumed', () => {
  const path = makeRun();
  expect(() => RunFolder.create(path)).toThrow(UsageError);
  expect(() => RunFolder.create(path)).toThrow('there is a run at');
  expect(RunFolder.create(path, { resume: true }).path).toBe(path);
});

test('a folder with something else in it is refused, an empty one and the rest of a kill are not', () => {
  const folder = temporaryFolder();
  const path = join(folder, 'first');
  RunFolder.create(path);
  RunFolder.create(path);
  writeFileSync(join(path, 'images', 'holiday.jpg'), '');
  expect(() => RunFolder.create(path)).toThrow('is not empty and not a run');
  expect(() => RunFolder.create(join(path, 'images', 'holiday.jpg'))).toThrow('is a file');
  expect(() => RunFolder.create(join(path, 'images', 'holiday.jpg', 'x'))).toThrow(/a part of the path is a file/);
});

test('resuming or opening what is not there names the run that is', () => {
  const path = makeRun();
  expect(() => RunFolder.open(`${path}t`)).toThrow('there is no such folder; did you mean first?');
  expect(() => RunFolder.create(`${path}t`, { resume: true })).toThrow(UsageError);
  expect(() => RunFolder.open(join(path, 'images'))).toThrow('is not a run folder: it has no config.yaml');
});

test('a run that another living process trains is not resumed; one whose process is gone is, at once', () => {
  expect(() => RunFolder.create(makeRun(running({ pid: process.ppid })), { resume: true })).toThrow(
    `is being trained right now by process ${process.ppid}`,
  );
  RunFolder.create(makeRun(running()), { resume: true });
  RunFolder.create(makeRun(running({ pid: process.ppid, state: 'stopped' })), { resume: true });
});

test('checkpoints are listed by step, half-written ones are not', () => {
  const run = RunFolder.open(makeRun());
  for (const name of ['step-1000', 'step-200', 'step-2000.partial-77', 'step-9.replaced-5', 'notes']) {
    mkdirSync(join(run.checkpoints, name));
  }
  expect(run.listCheckpoints().map(({ step }) => step)).toEqual([200, 1000]);
  expect(run.latestCheckpoint()).toEqual({ step: 1000, path: run.checkpoint(1000) });
});

test('the first free name is the name itself, then counts up', () => {
  const path = join(temporaryFolder(), 'quickstart');
  expect(RunFolder.firstFree(path)).toBe(path);
  mkdirSync(path);
  mkdirSync(`${path}-2`);
  expect(RunFolder.firstFree(path)).toBe(`${path}-3`);
});

test('a stale heartbeat of a process that is gone is shown as interrupted', () => {
  const now = Date.now();
  const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString();
  expect(shownState(running({ updated: ago(59) }), now)).toBe('running');
  expect(shownState(running({ updated: ago(61) }), now)).toBe('interrupted');
  expect(shownState(running({ updated: ago(61), pid: process.pid }), now)).toBe('running');
  expect(shownState(running({ updated: ago(61), state: 'finished' }), now)).toBe('finished');
  expect(shownState(undefined, now)).toBe('interrupted');
});

test('the heartbeat writes at once, not at every step, and has the last word', () => {
  const path = join(temporaryFolder(), 'status.json');
  const heartbeat = new Heartbeat(path, 10, 2);
  expect(readStatus(path)).toMatchObject({ state: 'running', step: 2, steps: 10, pid: process.pid });
  heartbeat.beat(3);
  expect(readStatus(path)?.step).toBe(2);
  heartbeat.end('failed', 4, 'the loss is not finite');
  expect(readStatus(path)).toMatchObject({ state: 'failed', step: 4, reason: 'the loss is not finite' });
});
