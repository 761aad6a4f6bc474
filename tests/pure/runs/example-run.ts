import { mkdirSync, writeFileSync } from 'node:fs';
import { EventLog, type NewEvent } from '../../../src/runs/event-log.js';
import { RunFolder } from '../../../src/runs/run-folder.js';
import { Heartbeat } from '../../../src/runs/run-status.js';

/** A start event of a CAPI run of 100 steps. */
export const start: NewEvent = {
  type: 'start',
  step: 0,
  method: 'capi',
  steps: 100,
  facts: { engine: '2.11.0', threads: 2 },
};

/** A small finished run as training leaves it. */
export function exampleRun(
  path: string,
  config = 'method: capi # recipe\n',
  events: readonly NewEvent[] = [],
): RunFolder {
  const run = RunFolder.create(path);
  writeFileSync(run.config, config);
  const log = new EventLog(run.events);
  log.append(start);
  for (const event of events) log.append(event);
  log.append({ type: 'finished', step: 100, seconds: 12 });
  log.close();
  mkdirSync(run.checkpoint(100));
  new Heartbeat(run.status, 100).end('finished', 100);
  return run;
}
