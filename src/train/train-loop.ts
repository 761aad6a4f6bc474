import { setImmediate } from 'node:timers/promises';
import type { Dataset } from '../data/dataset.js';
import { infiniteSampler } from '../data/infinite-sampler.js';
import { Loader } from '../data/loader.js';
import { PixelCache } from '../data/pixel-cache.js';
import type { EventLog } from '../runs/event-log.js';
import type { MetricSink } from '../runs/metric-sink.js';
import type { RunFolder } from '../runs/run-folder.js';
import { Heartbeat } from '../runs/run-status.js';
import { byteText } from '../support/byte-text.js';
import { TrainingError } from '../support/errors.js';
import { numberText } from '../support/number-text.js';
import { Progress } from '../support/progress.js';
import { boundNursery, collectGarbage } from '../support/steady-memory.js';
import { liveTensors } from '../tensor/tensor.js';
import { type CheckpointFacts, pruneCheckpoints, saveCheckpoint } from './checkpoint.js';
import { EvaluationSchedule, type ScheduledEvaluation } from './evaluation-schedule.js';
import type { Method } from './method.js';
import { StopSignal } from './stop-signal.js';
import type { TrainConfig } from './train-config.js';
import { trainStep } from './train-step.js';

/** Steps between two collections of JavaScript's garbage, which keep the memory of a long run flat. */
const GARBAGE_EVERY = 50;

/** Looks at the method every so many steps and after the last step of the run; must leave it as it is. */
export interface Judge {
  readonly every: number;
  /** Also before the first step (false). */
  readonly atStart?: boolean;
  readonly look: (step: number) => Promise<void>;
}

export interface TrainOptions {
  readonly method: Method<unknown>;
  readonly dataset: Dataset;
  readonly run: RunFolder;
  readonly log: EventLog;
  /** Where metrics go besides the event log. */
  readonly sinks: readonly MetricSink[];
  readonly seed: number;
  /** Steps of the whole run, and where this part of it begins and ends (counted from the beginning of the run). */
  readonly steps: number;
  readonly firstStep: number;
  readonly lastStep: number;
  readonly batchSize: number;
  /** Parts that a batch is computed in. */
  readonly accumulate: number;
  readonly workers: number;
  /** Where decoded images are kept (nowhere). */
  readonly cache?: 'none' | 'memory' | undefined;
  readonly train: TrainConfig;
  readonly machine: CheckpointFacts['machine'];
  readonly judge?: Judge | undefined;
  /** What judges the encoders on the way; names of those that were done after `firstStep` steps already. */
  readonly evaluations?: readonly ScheduledEvaluation[] | undefined;
  readonly evaluated?: ReadonlySet<string> | undefined;
}

export interface TrainOutcome {
  /** Steps done, counted from the beginning of the run. */
  readonly steps: number;
  /** Main loss at the first and last step of this part. */
  readonly lossFirst: number;
  readonly lossLast: number;
  readonly imagesPerSecond: number;
  readonly checkpoint: string;
  /** The signal that ended it, if one did. */
  readonly stoppedBy: NodeJS.Signals | undefined;
}

/**
 * Trains until `lastStep`, or until a signal; either way the state is saved. The loop yields between steps, so that
 * signals and timers are heard.
 * @throws {TrainingError} losses stay infinite or not a number; the state is then saved under another name.
 * @throws {DataError} too many images are broken.
 */
export async function train(options: TrainOptions): Promise<TrainOutcome> {
  const session = new TrainSession(options);
  try {
    return await session.run();
  } finally {
    await session.close();
  }
}

/** The state of one part of a run, from its first step to its last. */
class TrainSession {
  readonly #o: TrainOptions;
  readonly #loader: Loader;
  readonly #cache: PixelCache | undefined;
  readonly #progress: Progress;
  readonly #heartbeat: Heartbeat;
  readonly #stop = new StopSignal();
  /** When it began, later by the time that judging took. */
  #started = performance.now();
  readonly #schedule: EvaluationSchedule;
  #step: number;
  #lossFirst = Number.NaN;
  #lossLast = Number.NaN;
  #nonFinite = 0;
  #healthy = true;
  #saved = -1;
  #window = { time: performance.now(), wait: 0, step: 0, rate: 0 };

  constructor(options: TrainOptions) {
    this.#o = options;
    this.#step = options.firstStep;
    const position = options.firstStep * options.batchSize;
    this.#cache = options.cache === 'memory' ? new PixelCache(options.dataset.size) : undefined;
    this.#loader = new Loader({
      dataset: options.dataset,
      views: options.method.views,
      batchSize: options.batchSize / options.accumulate,
      order: infiniteSampler({ size: options.dataset.size, seed: options.seed, advance: position }),
      seed: options.seed,
      position,
      workers: options.workers,
      cache: this.#cache,
      prefetch: Math.max(2, options.accumulate + 1),
      onBroken: ({ name, reason }) => this.#reportBroken(name, reason),
    });
    this.#progress = new Progress(options.method.name, options.lastStep, { start: options.firstStep, unit: 'steps' });
    this.#heartbeat = new Heartbeat(options.run.status, options.steps, options.firstStep);
    this.#window.step = options.firstStep;
    const { evaluations = [], log, sinks } = options;
    this.#schedule = new EvaluationSchedule({ evaluations, log, sinks, say: (text) => this.#progress.line(text) });
  }

  async run(): Promise<TrainOutcome> {
    const { lastStep, train } = this.#o;
    boundNursery();
    try {
      if (this.#step === 0 && this.#o.judge?.atStart) await this.#judge();
      await this.#evaluate(this.#o.evaluated);
      while (this.#step < lastStep && this.#stop.received === undefined) {
        await this.#takeStep();
        await this.#judge();
        if (this.#step % train.checkpointEvery === 0 || this.#step === lastStep) await this.#save();
        await this.#evaluate();
        await setImmediate();
      }
      await this.#save();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#o.log.append({ type: 'failed', step: this.#step, reason });
      this.#heartbeat.end('failed', this.#step, reason);
      throw error;
    }
    return this.#finish();
  }

  async close(): Promise<void> {
    this.#stop.dispose();
    this.#progress.finish();
    await this.#loader.close();
  }

  async #takeStep(): Promise<void> {
    const { method, accumulate, batchSize, train, lastStep } = this.#o;
    const parts: unknown[] = [];
    for (let part = 0; part < accumulate; part++) {
      const images = await this.#loader.next();
      const position = this.#step * batchSize + (part * batchSize) / accumulate;
      parts.push(method.makeBatch(images!, position));
    }
    const step = this.#step;
    const record = step === this.#o.firstStep || (step + 1) % train.logEvery === 0 || step + 1 === lastStep;
    const values = trainStep(method, parts, step, { measure: record, beforeUpdate: (loss) => Number.isFinite(loss) });
    for (const part of parts) method.disposeBatch(part);
    this.#step++;

    const loss = values[method.mainLoss]!;
    await this.#guard(loss);
    if (Number.isNaN(this.#lossFirst)) this.#lossFirst = loss;
    this.#lossLast = loss;
    if (this.#step % GARBAGE_EVERY === 0) collectGarbage();
    if (record) this.#record(values, step);
    this.#sayCache();
    this.#heartbeat.beat(this.#step);
    this.#progress.update(this.#step, `loss ${numberText(loss)} · ${numberText(this.#imagesPerSecond(), 3)} images/s`);
  }

  async #judge(): Promise<void> {
    const { judge, steps } = this.#o;
    if (judge === undefined || (this.#step % judge.every !== 0 && this.#step !== steps)) return;
    const before = performance.now();
    await judge.look(this.#step);
    this.#leaveOut(performance.now() - before);
  }

  /** What is due now. Saved before, so that a run that ends meanwhile is resumed here and evaluates then. */
  async #evaluate(done: ReadonlySet<string> = new Set()): Promise<void> {
    const spent = await this.#schedule.run(this.#step, this.#o.method.encoders, done, (text) => {
      this.#heartbeat.beat(this.#step);
      this.#progress.update(this.#step, text);
      return this.#stop.received === undefined;
    });
    this.#leaveOut(spent);
  }

  /** Milliseconds that were not spent on training: speeds are those of training. */
  #leaveOut(spent: number): void {
    this.#started += spent;
    this.#window.time += spent;
  }

  /** A step without a finite loss changes nothing; too many in a row end the run, with the state kept for inspection. */
  async #guard(loss: number): Promise<void> {
    if (Number.isFinite(loss)) {
      this.#nonFinite = 0;
      return;
    }
    const { log, run, method, train } = this.#o;
    this.#nonFinite++;
    const message = `The loss of step ${this.#step} is ${loss}: the step was left out (${this.#nonFinite} in a row).`;
    log.append({ type: 'warning', step: this.#step, message });
    this.#progress.line(message);
    if (this.#nonFinite <= train.maxNonFinite) return;
    const name = `nonfinite-${this.#step}`;
    await saveCheckpoint(run, method, this.#facts(), name);
    throw new TrainingError(
      `The loss was not finite for ${this.#nonFinite} steps in a row, the last at step ${this.#step}. The state is saved as checkpoints/${name}.`,
      { hint: 'Lower optim.lr or lengthen optim.warmupSteps, and resume from the last checkpoint.' },
    );
  }

  #record(values: Readonly<Record<string, number>>, step: number): void {
    const { method, log, sinks, dataset, batchSize } = this.#o;
    const { [method.mainLoss]: loss, ...others } = values;
    const rates = Object.fromEntries(
      Object.entries(method.optimizers).map(([name, { lr }]) => [`lr.${name}`, lr(step)]),
    );
    const record = {
      loss: loss!,
      ...others,
      ...rates,
      ...method.schedules(step),
      imagesPerSecond: this.#imagesPerSecond(),
      dataWait: this.#dataWait(),
      residentBytes: process.memoryUsage.rss(),
      liveTensors: liveTensors().tensors,
    };
    this.#window = {
      time: performance.now(),
      wait: this.#loader.waitSeconds,
      step: this.#step,
      rate: record.imagesPerSecond,
    };
    log.append({ type: 'metrics', step: this.#step, epoch: (this.#step * batchSize) / dataset.size, values: record });
    for (const sink of sinks) sink.write(this.#step, record);
    const health = method.health(values);
    log.append({
      type: 'health',
      step: this.#step,
      check: method.name,
      level: health.healthy ? 'good' : 'warning',
      message: health.text,
    });
    if (health.healthy !== this.#healthy) this.#progress.line(`step ${this.#step}: ${health.text}`);
    this.#healthy = health.healthy;
  }

  /** Since the last record, or before it while no step has been taken since. */
  #imagesPerSecond(): number {
    const steps = this.#step - this.#window.step;
    if (steps === 0) return this.#window.rate;
    return (1000 * steps * this.#o.batchSize) / (performance.now() - this.#window.time);
  }

  /** Share of the time since the last record that was spent waiting for images. */
  #dataWait(): number {
    const seconds = (performance.now() - this.#window.time) / 1000;
    return (this.#loader.waitSeconds - this.#window.wait) / Math.max(seconds, 1e-9);
  }

  async #save(): Promise<void> {
    if (this.#saved === this.#step || this.#step === this.#o.firstStep) return;
    const { run, method, log, train } = this.#o;
    const started = performance.now();
    const bytes = await saveCheckpoint(run, method, this.#facts());
    this.#saved = this.#step;
    const seconds = (performance.now() - started) / 1000;
    log.append({ type: 'checkpoint', step: this.#step, name: `step-${this.#step}`, bytes, seconds });
    await pruneCheckpoints(run, train.keepCheckpoints);
  }

  #facts(): CheckpointFacts {
    const { batchSize, dataset, machine } = this.#o;
    return { step: this.#step, samples: this.#step * batchSize, data: dataset.fingerprint, machine };
  }

  /** Once, after as many images as the set has. */
  #sayCache(): void {
    const { dataset, batchSize, firstStep, log } = this.#o;
    if (this.#cache === undefined || this.#step - firstStep !== Math.ceil(dataset.size / batchSize)) return;
    const { size, bytes } = this.#cache;
    log.append({ type: 'cache', step: this.#step, images: size, bytes });
    this.#progress.line(`${size} decoded images are kept in memory: ${byteText(bytes)}`);
  }

  #reportBroken(image: string, reason: string): void {
    this.#o.log.append({ type: 'broken-image', step: this.#step, image, reason });
    this.#progress.line(`broken image, replaced by another: ${image}: ${reason}`);
  }

  #finish(): TrainOutcome {
    const { run, log, steps, firstStep, batchSize } = this.#o;
    const seconds = (performance.now() - this.#started) / 1000;
    const stoppedBy = this.#stop.received;
    if (this.#step >= steps) {
      log.append({ type: 'finished', step: this.#step, seconds });
      this.#heartbeat.end('finished', this.#step);
    } else {
      const reason = stoppedBy ?? '--max-steps';
      log.append({ type: 'stopped', step: this.#step, reason });
      this.#heartbeat.end('stopped', this.#step, reason);
    }
    return {
      steps: this.#step,
      lossFirst: this.#lossFirst,
      lossLast: this.#lossLast,
      imagesPerSecond: ((this.#step - firstStep) * batchSize) / seconds,
      checkpoint: run.checkpoint(this.#step),
      stoppedBy,
    };
  }
}
