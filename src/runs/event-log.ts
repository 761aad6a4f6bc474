import { existsSync } from 'node:fs';
import { z } from 'zod';
import { DataError } from '../support/errors.js';
import { JsonLinesWriter, readJsonLines } from '../support/json-lines.js';
import type { MetricSink } from './metric-sink.js';
import { type EventOf, type RunEvent, runEventSchema } from './run-events.js';

type WithoutTime<T> = T extends RunEvent ? Omit<T, 'time'> : never;

/** An event as the loop hands it over; the log adds the time. */
export type NewEvent = WithoutTime<RunEvent>;

/** The append-only `events.jsonl` of a run. Every append is one complete line, written before it returns. */
export class EventLog implements MetricSink {
  private readonly lines: JsonLinesWriter;

  /** Opens or makes the file and mends a last line that a kill tore. @throws TesseraError `STORAGE` */
  constructor(path: string) {
    this.lines = new JsonLinesWriter(path);
  }

  /** Writes one event with the present time. @throws TesseraError `STORAGE` */
  append(event: NewEvent): void {
    const { type, step, ...rest } = jsonNumbers(event) as Record<string, unknown>;
    const record = { type, step, time: new Date().toISOString(), ...rest };
    const checked = runEventSchema.safeParse(record);
    if (!checked.success) {
      throw new Error(`invalid ${String(type)} event (this is a bug in Tessera): ${z.prettifyError(checked.error)}`);
    }
    this.lines.append(record);
  }

  /** The metrics of a step as an event. */
  write(step: number, values: Readonly<Record<string, number>>): void {
    this.append({ type: 'metrics', step, values: { ...values } });
  }

  close(): void {
    this.lines.close();
  }
}

/**
 * Every event of a run in the order of writing, a torn last line left out. A missing file has none.
 *
 * @throws DataError naming file and record where one is not an event.
 */
export function readEvents(path: string): RunEvent[] {
  if (!existsSync(path)) return [];
  return readJsonLines(path).map((record, index) => {
    const event = runEventSchema.safeParse(record);
    if (event.success) return event.data;
    throw new DataError(`${path}:${index + 1} is not an event of this version: ${z.prettifyError(event.error)}`, {
      hint: 'Read the run with the version of Tessera that wrote it.',
    });
  });
}

/**
 * The events that count: what a run did after a checkpoint and then did again, because it was killed and resumed
 * there, is left out.
 */
export function liveEvents(events: readonly RunEvent[]): RunEvent[] {
  let live: RunEvent[] = [];
  for (const event of events) {
    if (event.type === 'resume') live = live.filter((earlier) => earlier.step <= event.step);
    live.push(event);
  }
  return live;
}

/** Records of metrics as `metricsOf` has them, and after them those of the run's evaluations: for curves. */
export function readMetrics(run: { readonly events: string }): EventOf<'metrics'>[] {
  const events = readEvents(run.events);
  return [...metricsOf(events), ...evaluationMetrics(events)];
}

/** The metrics of a run, one record a step, sorted by step; of several records of one step the later values count. */
export function metricsOf(events: readonly RunEvent[]): EventOf<'metrics'>[] {
  const byStep = new Map<number, EventOf<'metrics'>>();
  for (const event of liveEvents(events)) {
    if (event.type !== 'metrics') continue;
    const values = { ...byStep.get(event.step)?.values, ...event.values };
    byStep.set(event.step, { ...byStep.get(event.step), ...event, values });
  }
  return [...byStep.values()].sort((a, b) => a.step - b.step);
}

/** Evaluations that were made at several steps as records of metrics, for curves: `knn.top1`, `knn.top1 of the student`. */
export function evaluationMetrics(events: readonly RunEvent[]): EventOf<'metrics'>[] {
  const evaluations = liveEvents(events).filter((event) => event.type === 'evaluation');
  const steps = new Map<string, Set<number>>();
  const nameOf = ({ name, task }: EventOf<'evaluation'>) => name ?? task;
  const keyOf = (event: EventOf<'evaluation'>) => `${nameOf(event)} ${event.encoder}`;
  for (const event of evaluations) steps.set(keyOf(event), (steps.get(keyOf(event)) ?? new Set()).add(event.step));
  return evaluations
    .filter((event) => steps.get(keyOf(event))!.size > 1)
    .map((event) => {
      const whose = event.encoder === 'student' ? ' of the student' : '';
      const values = Object.entries(event.metrics).map(([metric, value]) => [
        `${nameOf(event)}.${metric}${whose}`,
        value,
      ]);
      return { type: 'metrics' as const, step: event.step, time: event.time, values: Object.fromEntries(values) };
    })
    .sort((a, b) => a.step - b.step);
}

/** JSON has no NaN and no infinities; the schema reads their names back as numbers. */
function jsonNumbers(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, jsonNumbers(inner)]));
}
