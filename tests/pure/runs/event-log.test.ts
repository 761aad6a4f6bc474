import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EventLog, type NewEvent, readEvents, readMetrics } from '../../../src/runs/event-log.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { start } from './example-run.js';

function write(path: string, events: readonly NewEvent[]): void {
  const log = new EventLog(path);
  for (const event of events) log.append(event);
  log.close();
}

const metrics = (step: number, loss: number): NewEvent => ({ type: 'metrics', step, values: { loss } });

test('events come back with their time, numbers that are not finite included', () => {
  const path = join(temporaryFolder(), 'events.jsonl');
  const loss = { nan: Number.NaN, up: Number.POSITIVE_INFINITY, down: Number.NEGATIVE_INFINITY, zero: 0 };
  write(path, [start, { type: 'metrics', step: 1, epoch: 0.5, values: loss }]);
  const [first, second] = readEvents(path);
  expect(first).toMatchObject(start);
  expect(Date.now() - Date.parse(first!.time)).toBeLessThan(10_000);
  expect(second).toMatchObject({ type: 'metrics', step: 1, epoch: 0.5, values: loss });
  for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) JSON.parse(line);
});

test('what a killed run did beyond the checkpoint it resumed at does not count', () => {
  const path = join(temporaryFolder(), 'events.jsonl');
  const resume: NewEvent = { ...start, type: 'resume', step: 20, checkpoint: 'step-20' } as NewEvent;
  write(path, [start, metrics(10, 1), metrics(20, 2), metrics(30, 3), metrics(40, 4)]);
  write(path, [resume, metrics(30, 33)]);
  expect(readMetrics({ events: path }).map(({ step, values }) => [step, values.loss])).toEqual([
    [10, 1],
    [20, 2],
    [30, 33],
  ]);
  expect(readEvents(path)).toHaveLength(7);
});

test('of two records of one step the later one counts, and steps are sorted', () => {
  const path = join(temporaryFolder(), 'events.jsonl');
  write(path, [metrics(20, 2), metrics(10, 1), metrics(20, 22)]);
  expect(readMetrics({ events: path }).map(({ step, values }) => [step, values.loss])).toEqual([
    [10, 1],
    [20, 22],
  ]);
});

test('records of one step that say different things are one', () => {
  const path = join(temporaryFolder(), 'events.jsonl');
  const watched = { ...metrics(10, 1), values: { 'knnBlock.0': 12 } };
  write(path, [metrics(10, 1), watched]);
  expect(readMetrics({ events: path }).map(({ values }) => values)).toEqual([{ loss: 1, 'knnBlock.0': 12 }]);
});

test('a run without events has none; an unknown event is told with its line', () => {
  const path = join(temporaryFolder(), 'events.jsonl');
  expect(readEvents(path)).toEqual([]);
  write(path, [start]);
  writeFileSync(path, `${readFileSync(path, 'utf8')}{"type":"lunch","step":1}\n`);
  expect(() => readEvents(path)).toThrow(`${path}:2 is not an event of this version`);
});

test('an event outside the schema is a bug that never reaches the file', () => {
  const path = join(temporaryFolder(), 'events.jsonl');
  expect(() => write(path, [{ type: 'metrics', step: -1, values: {} }])).toThrow(/invalid metrics event/);
  expect(readFileSync(path, 'utf8')).toBe('');
});
