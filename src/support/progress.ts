import { durationText } from './duration-text.js';
import { numberText } from './number-text.js';

/** Where progress is written: standard error, or a stand-in in tests. */
export type ProgressStream = {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
};

/** Settings of a `Progress`; all have defaults. */
export type ProgressOptions = {
  /** Where counting begins, for example the step that a run resumes at. */
  readonly start?: number;
  /** What is counted, in the plural, for the rate: `steps`. */
  readonly unit?: string;
  readonly stream?: ProgressStream;
  /** Milliseconds, only ever compared. */
  readonly clock?: () => number;
};

const redrawMs = 100;
const plainLineMs = 10_000;
const rateWindow = 30;
const barWidth = 24;

/**
 * Progress of one long task on standard error: a bar that redraws itself on a terminal, elsewhere plain lines at the
 * start, at the end and about every ten seconds. Standard output stays clean.
 */
export class Progress {
  private readonly stream: ProgressStream;
  private readonly clock: () => number;
  private readonly start: number;
  private readonly unit: string;
  private readonly live: boolean;
  private readonly begun: number;
  private readonly samples: { time: number; done: number }[] = [];
  private done: number;
  private note = '';
  private shown = Number.NEGATIVE_INFINITY;
  private ended = false;

  /** @param total how much there is to do, in the unit of `update`; `undefined` when nobody knows. */
  constructor(
    private readonly label: string,
    private readonly total: number | undefined,
    options: ProgressOptions = {},
  ) {
    this.stream = options.stream ?? process.stderr;
    this.clock = options.clock ?? (() => performance.now());
    this.start = options.start ?? 0;
    this.unit = options.unit ?? '';
    this.live = this.stream.isTTY === true && process.env.TERM !== 'dumb';
    this.begun = this.clock();
    this.done = this.start;
    this.samples.push({ time: this.begun, done: this.start });
    this.show();
  }

  /** Says how much is done, with a short free text such as `loss 3.71 · 52 images/s`. Cheap; call it at every step. */
  update(done: number, note?: string): void {
    if (this.ended) return;
    this.done = done;
    if (note !== undefined) this.note = note;
    const now = this.clock();
    if (now - this.samples.at(-1)!.time >= 1000 || this.samples.length === 1) {
      this.samples.push({ time: now, done });
      if (this.samples.length > rateWindow) this.samples.shift();
    }
    if (now - this.shown >= (this.live ? redrawMs : plainLineMs)) this.show();
  }

  /** Prints a line that stays, above the bar: a warning, a checkpoint. */
  line(text: string): void {
    if (!this.live || this.ended) {
      this.stream.write(`${text}\n`);
      return;
    }
    this.stream.write(`\r\x1b[K${text}\n`);
    this.show();
  }

  /** Ends with a last line: how much was done and how long it took. Later calls do nothing. */
  finish(note?: string): void {
    if (this.ended) return;
    if (note !== undefined) this.note = note;
    this.ended = true;
    const seconds = (this.clock() - this.begun) / 1000;
    const parts = [`${this.label} ${this.countText()}`, `took ${durationText(seconds)}`, this.note];
    this.stream.write(`${this.live ? '\r\x1b[K' : ''}${joined(parts)}\n`);
  }

  [Symbol.dispose](): void {
    this.finish();
  }

  private show(): void {
    const now = this.clock();
    this.shown = now;
    const rate = this.rate(now);
    const left = this.total === undefined || rate <= 0 ? undefined : (this.total - this.done) / rate;
    const parts = [
      this.countText(),
      rate > 0 ? `${numberText(rate, 3)}${this.unit ? ` ${this.unit}` : ''}/s` : '',
      left === undefined ? '' : `${durationText(left)} left`,
      this.note,
    ];
    if (!this.live) {
      this.stream.write(`${this.label} ${joined(parts)}\n`);
      return;
    }
    const text = `${this.label} ${this.barText()}${joined(parts)}`;
    // One column stays free: a full line makes some terminals wrap.
    this.stream.write(`\r\x1b[K${text.slice(0, Math.max(1, (this.stream.columns ?? 80) - 1))}`);
  }

  /** Units per second over the last half minute, so that a slow start does not spoil the time left. */
  private rate(now: number): number {
    const first = this.samples[0]!;
    return now > first.time ? ((this.done - first.done) * 1000) / (now - first.time) : 0;
  }

  private countText(): string {
    if (this.total === undefined) return String(this.done);
    const percent = this.total > 0 ? Math.floor((100 * this.done) / this.total) : 100;
    return `${this.done}/${this.total} (${percent} %)`;
  }

  private barText(): string {
    if (this.total === undefined || this.total <= 0) return '';
    const filled = Math.min(barWidth, Math.floor((barWidth * this.done) / this.total));
    return `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)} `;
  }
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' · ');
}
