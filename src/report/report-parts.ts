import { z } from 'zod';

const measuredSchema = z.strictObject({
  value: z.number(),
  interval: z.tuple([z.number(), z.number()]).readonly().optional(),
});

/** A measured share in percent, with its 95 % interval where one is known. */
export type Measured = z.output<typeof measuredSchema>;

const evaluationSchema = z.strictObject({
  /** For people: `Classification, 20 nearest neighbours`. */
  name: z.string(),
  /** `top-1 accuracy`, `mean IoU`; in percent, more is better. */
  metric: z.string(),
  /** What it is measured on, such as `1024 held-out scenes, 12 classes`. */
  on: z.string().optional(),
  trained: measuredSchema,
  /** The same architecture with random weights. */
  untrained: measuredSchema.optional(),
  /** Colour and position of pixels instead of features. */
  colourAndPosition: measuredSchema.optional(),
  /** What guessing gives, in percent. */
  chance: z.number().optional(),
  /** Task, encoder and data, as `resultKey` says it: the log's record of the same is not shown once more. */
  of: z.string().optional(),
});

/** One number of one evaluation, for the trained encoder and for what it is compared with. */
export type ReportEvaluation = z.output<typeof evaluationSchema>;

const verdictSchema = z.strictObject({
  /** `good`: clearly better than all it is compared with; `bad`: clearly worse than something; `unclear`: between. */
  tone: z.enum(['good', 'unclear', 'bad']),
  headline: z.string(),
  sentences: z.array(z.string()).readonly(),
});

/** The outcome in words. */
export type Verdict = z.output<typeof verdictSchema>;

const nextCommandSchema = z.strictObject({
  command: z.string(),
  /** What it does: `Train five times longer`. */
  purpose: z.string(),
});

/** A command to type next. */
export type NextCommand = z.output<typeof nextCommandSchema>;

/** What a report tells beyond what the rest of the run folder holds; `report.json` of the run keeps it. */
export const reportPartsSchema = z.strictObject({
  title: z.string(),
  /** One sentence: what was trained on what. */
  summary: z.string(),
  verdict: verdictSchema,
  evaluations: z.array(evaluationSchema).readonly(),
  nextCommands: z.array(nextCommandSchema).readonly(),
  /** The command that repeats the run. */
  command: z.string(),
  /** Further facts for the block on reproduction, such as `['Training data', 'scenes://?split=train&count=4096']`. */
  facts: z
    .array(z.tuple([z.string(), z.string()]).readonly())
    .readonly()
    .optional(),
});

export type ReportParts = z.output<typeof reportPartsSchema>;
