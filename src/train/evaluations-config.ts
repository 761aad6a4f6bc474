import { z } from 'zod';

const spec = (what: string) => z.string().min(1).optional().describe(`${what}: a folder or a data URL.`);

const entry = z.union([
  z.string().min(1),
  z.strictObject({
    task: z.string().min(1).describe('As in tessera eval.'),
    name: z
      .string()
      .regex(/^[\w-]+$/)
      .optional()
      .describe('Of curves and events, where a task is there twice; the task’s unless given.'),
    train: spec('Overrides `evaluations.train`'),
    test: spec('Overrides `evaluations.test`'),
    options: z.record(z.string(), z.unknown()).optional().describe('Of the task, as in the result’s protocol.'),
  }),
]);

const tasks = z.array(entry).default([]).describe('Names of tasks, or task with options and data of its own.');
const every = (steps: number) => z.int().positive().default(steps).describe('Steps between two evaluations.');

/** What is judged while a run trains. Nothing of it changes a step. */
export const evaluationsSection = z
  .strictObject({
    train: spec('Images to compare with or to train heads on'),
    test: spec('Images to judge on'),
    weights: z.enum(['teacher', 'student']).default('teacher').describe('Which encoder is judged.'),
    size: z.int().positive().optional().describe('Side of the images in pixels; as in training unless given.'),
    atStart: z
      .boolean()
      .default(true)
      .describe('Judge before the first step as well: what later results are held against.'),
    fast: z
      .strictObject({ every: every(1000), tasks })
      .prefault({})
      .describe('Cheap ones, often.'),
    slow: z
      .strictObject({ every: every(10_000), tasks })
      .prefault({})
      .describe('Costly ones, now and then.'),
    final: z.strictObject({ tasks }).prefault({}).describe('After the last step.'),
  })
  .describe('Evaluations while training; they change nothing in it.');

export type EvaluationsConfig = z.output<typeof evaluationsSection>;
/** One evaluation of a group. */
export type EvaluationEntry = z.output<typeof entry>;
