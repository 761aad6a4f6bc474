import type { EventLog } from '../runs/event-log.js';
import type { MetricSink } from '../runs/metric-sink.js';
import type { EventOf } from '../runs/run-events.js';
import type { Health, Method } from './method.js';

/** What an evaluation during training found. */
export interface EvaluationFound {
  readonly event: Omit<EventOf<'evaluation'>, 'type' | 'step' | 'time'>;
  readonly health: Health;
}

/** A judgement of the encoders that the loop asks for as it trains, and knows nothing else of. */
export interface ScheduledEvaluation {
  /** Of those with one name only the first that is due is done. */
  readonly name: string;
  /** Whether it is to be done after so many steps of the run (0: before the first). */
  isDue(step: number): boolean;
  /** Must neither change the encoders nor draw from the generators of the run. */
  judge(
    encoders: Method<unknown>['encoders'],
    step: number,
    onProgress: (text: string) => void,
  ): Promise<EvaluationFound>;
}

export interface ScheduleOptions {
  readonly evaluations: readonly ScheduledEvaluation[];
  readonly log: EventLog;
  readonly sinks: readonly MetricSink[];
  /** Writes a line for people. */
  readonly say: (text: string) => void;
}

/** Ends an evaluation during which a signal came. */
class Stopped extends Error {}

/** Does the evaluations of a run when they are due. One that fails leaves a warning behind, and the run goes on. */
export class EvaluationSchedule {
  readonly #o: ScheduleOptions;

  constructor(options: ScheduleOptions) {
    this.#o = options;
  }

  /**
   * Does what is due after `step` steps.
   * @param done names of those that were done at this step before, by an earlier part of the run
   * @param beat called as they go on, with a short text; returning false ends them without a result
   * @returns milliseconds that it took
   */
  async run(
    step: number,
    encoders: Method<unknown>['encoders'],
    done: ReadonlySet<string>,
    beat: (text: string) => boolean,
  ): Promise<number> {
    const open = this.#o.evaluations.filter(({ name, isDue }) => !done.has(name) && isDue(step));
    const due = open.filter(({ name }, place) => open.findIndex((other) => other.name === name) === place);
    if (due.length === 0) return 0;
    const started = performance.now();
    for (const evaluation of due) {
      const onProgress = (text: string) => {
        if (!beat(`${evaluation.name}: ${text}`)) throw new Stopped();
      };
      try {
        onProgress('begins');
        this.#keep(step, evaluation.name, await evaluation.judge(encoders, step, onProgress));
      } catch (error) {
        if (error instanceof Stopped) break;
        const message = `The evaluation ${evaluation.name} failed: ${error instanceof Error ? error.message : String(error)}`;
        this.#o.log.append({ type: 'warning', step, message });
        this.#o.say(message);
      }
    }
    return performance.now() - started;
  }

  #keep(step: number, name: string, { event, health }: EvaluationFound): void {
    const { log, sinks, say } = this.#o;
    log.append({ type: 'evaluation', step, ...event });
    const level = health.healthy ? 'good' : 'warning';
    log.append({ type: 'health', step, check: name, level, message: health.text });
    const values = Object.fromEntries(
      Object.entries(event.metrics).map(([metric, value]) => [`${name}.${metric}`, value]),
    );
    for (const sink of sinks) sink.write(step, values);
    say(`step ${step}: ${health.text}`);
  }
}
