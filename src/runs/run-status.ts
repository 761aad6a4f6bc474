import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { writeFileAtomic } from '../support/atomic-file.js';
import { processIsAlive } from '../support/process-is-alive.js';

const statusSchema = z.strictObject({
  state: z.enum(['running', 'finished', 'stopped', 'failed']),
  /** Optimiser steps done, counted from the beginning of the run. */
  step: z.int().min(0),
  /** Steps that the run is to have. */
  steps: z.int().min(0),
  pid: z.int().min(1),
  host: z.string(),
  /** Time of this heartbeat, ISO 8601. */
  updated: z.iso.datetime(),
  /** Why it stopped or failed. */
  reason: z.string().optional(),
});

/** What `status.json` holds. */
export type RunStatus = z.infer<typeof statusSchema>;

/** The state to show: a run that says `running` and whose process is gone was interrupted. */
export type ShownState = RunStatus['state'] | 'interrupted';

const staleMs = 60_000;
/** A process that has not said anything for so long has lost its claim: its id may belong to another by now. */
const abandonedMs = 10 * 60_000;
const beatMs = 5_000;

/** Reads a `status.json`; `undefined` where there is none or it is not one of ours. */
export function readStatus(path: string): RunStatus | undefined {
  try {
    return statusSchema.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

/** The state to show at time `now` (milliseconds since 1970): stale for 60 s and its process gone is `interrupted`. */
export function shownState(status: RunStatus | undefined, now = Date.now()): ShownState {
  if (status === undefined) return 'interrupted';
  if (status.state !== 'running' || age(status, now) <= staleMs) return status.state;
  const elsewhere = status.host !== hostname();
  const gone = elsewhere ? age(status, now) > abandonedMs : !processIsAlive(status.pid);
  return gone ? 'interrupted' : 'running';
}

/** The id of another living process that is training the run, as far as can be told. */
export function processUsing(status: RunStatus | undefined, now = Date.now()): number | undefined {
  if (status?.state !== 'running' || age(status, now) > abandonedMs) return undefined;
  if (status.host !== hostname()) return age(status, now) <= staleMs ? status.pid : undefined;
  return status.pid !== process.pid && processIsAlive(status.pid) ? status.pid : undefined;
}

/** Keeps `status.json` of a running process up to date, at most every five seconds. */
export class Heartbeat {
  private written = Number.NEGATIVE_INFINITY;

  /** Writes the first beat. @param steps that the run is to have. */
  constructor(
    private readonly path: string,
    private readonly steps: number,
    step = 0,
  ) {
    this.beat(step);
  }

  /** Call at every step. */
  beat(step: number): void {
    const now = performance.now();
    if (now - this.written < beatMs) return;
    this.written = now;
    this.write('running', step);
  }

  /** The last word: finished, stopped by a signal, or failed with the reason. */
  end(state: Exclude<RunStatus['state'], 'running'>, step: number, reason?: string): void {
    this.write(state, step, reason);
  }

  private write(state: RunStatus['state'], step: number, reason?: string): void {
    const status: RunStatus = {
      state,
      step,
      steps: this.steps,
      pid: process.pid,
      host: hostname(),
      updated: new Date().toISOString(),
      ...(reason === undefined ? {} : { reason }),
    };
    writeFileAtomic(this.path, `${JSON.stringify(status, undefined, 2)}\n`);
  }
}

function age(status: RunStatus, now: number): number {
  return now - Date.parse(status.updated);
}
