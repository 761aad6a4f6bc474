import type { z } from 'zod';
import type { Dataset } from '../data/dataset.js';
import type { Features } from '../features/extract.js';
import type { EvaluationView } from '../features/extraction-pass.js';
import type { BlockRequest, FeatureKind } from '../features/parts.js';
import type { ImageEncoder } from '../models/encoder.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Interval } from './measure/bootstrap.js';

/** The data sets of an evaluation by what they are for; each is an option of the command line. */
export type DataRole = 'train' | 'test';

/** What a task wants of a data set. */
export interface DataNeed {
  /** Labels that every image must have; `any`: classes, pixel labels, or both. */
  readonly labels: 'none' | 'classes' | 'pixels' | 'any';
  /** For `--help`: what these images are for. */
  readonly help: string;
}

/** The data sets that a task judges on. */
export type DataNeeds = Readonly<Partial<Record<DataRole, DataNeed>>>;

/** A number that a task finds. */
export interface MetricInfo {
  /** For people: `top-1`. */
  readonly name: string;
  /** `%`, or nothing where the number is no percentage. */
  readonly unit: '%' | '';
  readonly better: 'higher' | 'lower';
}

/** Metrics by name; the first is the one to compare by. Percentages but where the task says otherwise. */
export type Metrics = Readonly<Record<string, number>>;
/** 95 % bootstrap intervals over test images, by the name of the metric; not every metric has one. */
export type Intervals = Readonly<Record<string, Interval>>;

/** How metrics change along something: blocks, numbers of neighbours. Plain data. */
export interface Curve {
  /** What `at` holds: `block`, `k`. */
  readonly along: string;
  readonly at: readonly number[];
  /** Values by the name of the metric, one for each of `at`. */
  readonly metrics: Readonly<Record<string, readonly number[]>>;
  /** Their intervals; not every metric has them. */
  readonly intervals: Readonly<Record<string, readonly Interval[]>>;
}

/** What was found of one encoder. Plain data. */
export interface Judgement {
  readonly metrics: Metrics;
  readonly intervals: Intervals;
  /** Settings beyond the options, or other than these: what was chosen. */
  readonly protocol: Readonly<Record<string, unknown>>;
  readonly counts: Readonly<Record<string, number>>;
  readonly curve?: Curve | undefined;
  /** What else was found, for the JSON only: all candidates, not just the best. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/** Which features a task wants of a data set. */
export interface FeatureRequest {
  readonly view: EvaluationView;
  /** Of the encoder's output. */
  readonly kinds: readonly FeatureKind[];
  /** Raw outputs of blocks as well; together with `kinds` at least one part. */
  readonly blocks?: BlockRequest;
  /** Also the pixel labels (false). */
  readonly pixels?: boolean;
}

/** How close patch features (S, D) are to each of K prototypes: (S, K), the caller's, in a scope. */
export type PrototypeScores = (features_SD: Tensor) => Tensor;

/** What a task judges, and with what. */
export interface EvaluationContext<Role extends DataRole = DataRole> {
  readonly encoder: ImageEncoder;
  readonly data: Readonly<Record<Role, Dataset>>;
  /** Of the head that the encoder was trained with, where there is one. */
  readonly prototypes?: PrototypeScores | undefined;
  /** Side of the images in pixels, a multiple of the patch size. */
  readonly size: number;
  /** Where the encoder is. */
  readonly device: string;
  /** Seed of everything drawn. */
  readonly seed: number;
  /** Resamples behind an interval. */
  readonly resamples: number;
  /** Images embedded at once. */
  readonly batchSize: number;
  /** Decoding threads. */
  readonly workers: number;
  /**
   * Frozen features of one of the data sets, extracted once. They are shared: never change or dispose of them.
   * @throws as `extractFeatures`.
   */
  features(role: Role, what: FeatureRequest): Promise<Features>;
  /** Tells how far a stage of the work is; `unit` is `images` unless given, `note` a short text beside the bar. */
  progress(stage: string, done: number, total: number, unit?: string, note?: string): void;
}

/**
 * A way to judge an encoder. The definition needs no engine: command line, help and checks of recipes are made from it;
 * `judge` loads what does the work.
 */
export interface Task<
  Name extends string = string,
  Schema extends z.ZodObject = z.ZodObject,
  Data extends DataNeeds = DataNeeds,
> {
  readonly name: Name;
  /** A few words for the list of tasks. */
  readonly summary: string;
  /** What is measured, how, and where the protocol is from, in a few sentences. */
  readonly description: string;
  /** Command lines after `tessera eval <name>`. */
  readonly examples: readonly string[];
  /**
   * The task's own options, each with description and default; they become options of the command line, `maxPatches` as
   * `--max-patches`. Values: booleans, numbers, texts, literals, or lists of these.
   */
  readonly options: Schema;
  readonly data: Data;
  /** Whether it looks at the prototypes that an encoder was trained with (false). */
  readonly prototypes?: boolean;
  /** Every metric that `judge` may give, in the order to show. */
  readonly metrics: Readonly<Record<string, MetricInfo>>;
  judge(context: EvaluationContext<keyof Data & DataRole>, options: z.output<Schema>): Promise<Judgement>;
}

/** A task with the types of its options kept. */
export function defineTask<const Name extends string, Schema extends z.ZodObject, Data extends DataNeeds>(
  task: Task<Name, Schema, Data>,
): Task<Name, Schema, Data> {
  return task;
}

/** The curve of what was found at each of several values, which all gave the same metrics. */
export function curveOf(
  along: string,
  at: readonly number[],
  found: readonly Pick<Judgement, 'metrics' | 'intervals'>[],
): Curve {
  const columns = <Value>(of: (judged: Pick<Judgement, 'metrics' | 'intervals'>) => Readonly<Record<string, Value>>) =>
    Object.fromEntries(Object.keys(of(found[0]!)).map((name) => [name, found.map((judged) => of(judged)[name]!)]));
  return { along, at, metrics: columns(({ metrics }) => metrics), intervals: columns(({ intervals }) => intervals) };
}
