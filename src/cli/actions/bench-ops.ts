import { engine } from '../../engine/addon.js';
import { numberText } from '../../support/number-text.js';
import { type CommandResult, cardText } from '../output.js';
import { type BenchStepOptions, benchSettings, timeSteps } from './bench-step.js';

/** The checked options of `tessera bench ops`. */
export type BenchOpsOptions = Omit<BenchStepOptions, 'vs'>;

/** Operators shown one by one. */
const shown = 20;

interface Operator {
  readonly name: string;
  /** Calls and milliseconds in a step, without what it calls itself. */
  readonly calls: number;
  readonly ms: number;
}

/** `tessera bench ops`: what a step spends its time on, and what the operators do not account for. */
export async function benchOps(options: BenchOpsOptions): Promise<CommandResult> {
  const { preset, config, threads, device } = benchSettings(options);
  const steps = options.steps ?? 4;
  let stepMs = 0;
  let timing = false;
  // The first step that counts is timed by the clock only: observers start behind it, so that the warm-up stays out.
  timeSteps(config, steps + 1, device, (ms) => {
    if (timing) stepMs += ms / steps;
    else engine().startProfile();
    timing = true;
  });
  const operators = perStep(engine().stopProfile(), steps);
  const sum = operators.reduce((total, { ms }) => total + ms, 0);
  const overheadMs = stepMs - sum;
  const share = (ms: number) => `${numberText((100 * ms) / stepMs, 3)} %`;
  const line = ({ name, calls, ms }: Operator): [string, string] => [
    name,
    `${numberText(ms)} ms (${share(ms)}), ${numberText(calls)} calls`,
  ];
  const rest = operators.slice(shown);
  const card = cardText(`operators of one training step · ${preset}, ${threads} threads, ${numberText(stepMs)} ms`, [
    ...operators.slice(0, shown).map(line),
    ['others', `${numberText(rest.reduce((total, { ms }) => total + ms, 0))} ms, ${rest.length} operators`],
    ['overhead', `${numberText(overheadMs)} ms (${share(overheadMs)}): the step less its operators`],
  ]);
  return { card, json: { preset, threads, stepMs, overheadMs, operators } };
}

/** The engine's list as operators, the longest first. */
function perStep(list: readonly (string | number)[], steps: number): Operator[] {
  return Array.from({ length: list.length / 3 }, (_, i) => ({
    name: String(list[3 * i]),
    calls: Number(list[3 * i + 1]) / steps,
    ms: (1000 * Number(list[3 * i + 2])) / steps,
  })).sort((a, b) => b.ms - a.ms);
}
