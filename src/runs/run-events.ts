import { z } from 'zod';

/** A number as JSON can hold it: what is not finite is spelt out. */
const number = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity']).transform((text) => Number(text))]);
const numbers = z.record(z.string(), number);
const intervals = z.record(z.string(), z.tuple([z.number(), z.number()]).readonly());
/** Facts about machine, engine and data, such as `engine: "2.11.0"`, `threads: 2`. */
const facts = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));

const common = {
  /** Optimiser steps done when it happened, counted from the beginning of the run. */
  step: z.int().min(0),
  /** ISO 8601, UTC. */
  time: z.iso.datetime(),
};

/** The one schema of `events.jsonl`. */
export const runEventSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('start'), ...common, method: z.string(), steps: z.int().min(0), facts }),
  z.strictObject({
    type: z.literal('resume'),
    ...common,
    method: z.string(),
    steps: z.int().min(0),
    facts,
    /** Folder name of the checkpoint; absent where the run began anew because it had none. */
    checkpoint: z.string().optional(),
  }),
  /** `values.loss` is the student loss; other names are the method's. */
  z.strictObject({ type: z.literal('metrics'), ...common, epoch: z.number().min(0).optional(), values: numbers }),
  z.strictObject({
    type: z.literal('health'),
    ...common,
    check: z.string(),
    level: z.enum(['good', 'warning', 'alarm']),
    message: z.string(),
    values: numbers.optional(),
  }),
  z.strictObject({
    type: z.literal('evaluation'),
    ...common,
    task: z.string(),
    encoder: z.enum(['student', 'teacher']),
    /** In percent. */
    metrics: numbers,
    /** The same for the untrained encoder. */
    floor: numbers.optional(),
    /** 95 % intervals of both, by the name of the metric. */
    intervals: intervals.optional(),
    floorIntervals: intervals.optional(),
    /** Tells several evaluations of one task apart: of a run while it trained. */
    name: z.string().optional(),
    /** What it was measured on: the spec of the test images. */
    on: z.string().optional(),
    /** Other models that were judged in the same call. */
    beside: z
      .array(z.strictObject({ model: z.string(), metrics: numbers, intervals: intervals.optional() }))
      .optional(),
  }),
  z.strictObject({
    type: z.literal('checkpoint'),
    ...common,
    /** Folder name inside `checkpoints/`. */
    name: z.string(),
    bytes: z.int().min(0),
    seconds: z.number().min(0),
  }),
  z.strictObject({ type: z.literal('broken-image'), ...common, image: z.string(), reason: z.string() }),
  /** Decoded images that are kept, after the first pass through them. */
  z.strictObject({ type: z.literal('cache'), ...common, images: z.int().min(0), bytes: z.int().min(0) }),
  z.strictObject({ type: z.literal('warning'), ...common, message: z.string() }),
  z.strictObject({ type: z.literal('finished'), ...common, seconds: z.number().min(0) }),
  z.strictObject({ type: z.literal('stopped'), ...common, reason: z.string() }),
  z.strictObject({ type: z.literal('failed'), ...common, reason: z.string() }),
]);

/** One thing that happened in a run. */
export type RunEvent = z.output<typeof runEventSchema>;

/** An event of one kind: `EventOf<'metrics'>`. */
export type EventOf<T extends RunEvent['type']> = Extract<RunEvent, { type: T }>;
