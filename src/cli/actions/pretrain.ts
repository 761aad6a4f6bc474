import { basename } from 'node:path';
import { RunFolder } from '../../runs/run-folder.js';
import { numberText } from '../../support/number-text.js';
import { type CommandResult, cardText } from '../output.js';
import { programName } from '../program-name.js';

/** The checked options of `tessera pretrain`. */
export type PretrainOptions = {
  /** Name of a shipped recipe or path of a YAML file. */
  readonly recipe: string;
  /** `key.path=value`, not yet checked. */
  readonly overrides: readonly string[];
  readonly data: string;
  readonly out: string;
  readonly from: string | undefined;
  /** `cpu`, `cuda`, `cuda:<number>` or `mps`. */
  readonly device: string | undefined;
  readonly threads: number | undefined;
  readonly workers: number | undefined;
  readonly seed: number | undefined;
  readonly resume: boolean;
  /** Counted from the beginning of the run. */
  readonly maxSteps: number | undefined;
  readonly dryRun: boolean;
};

/** `tessera pretrain`. */
export async function pretrain(options: PretrainOptions): Promise<CommandResult> {
  const { prepareRun, pretrain: run } = await import('../../recipes/pretrain.js');
  const overrides = [
    ...options.overrides,
    ...(options.seed === undefined ? [] : [`seed=${options.seed}`]),
    ...(options.workers === undefined ? [] : [`data.workers=${options.workers}`]),
  ];
  if (options.dryRun) return dryRun(await prepareRun({ ...options, overrides }));
  // A run that exists is refused before the data is opened.
  if (!options.resume) RunFolder.refuseExisting(options.out);
  const outcome = await run({ ...options, overrides });
  const stopped = outcome.stoppedBy !== undefined;
  return {
    card: cardText(`${basename(outcome.run)} · ${stopped ? `stopped by ${outcome.stoppedBy}` : 'trained'}`, [
      ['steps', String(outcome.steps)],
      ['loss', `${numberText(outcome.lossFirst)} to ${numberText(outcome.lossLast)}`],
      ['speed', `${numberText(outcome.imagesPerSecond, 3)} images/s`],
      ['checkpoint', outcome.checkpoint],
      ['next', stopped ? 'the same command with --resume' : `${programName()} runs show ${options.out}`],
    ]),
    json: { ...outcome },
    ...(stopped ? { exitCode: 130 as const } : {}),
  };
}

function dryRun({
  config,
  yaml,
  dataset,
}: Awaited<ReturnType<typeof import('../../recipes/pretrain.js').prepareRun>>): CommandResult {
  const { steps, batchSize } = config.optim;
  const epochs = (steps * batchSize) / dataset.size;
  return {
    card: `${yaml}\n${cardText('dry run: nothing was written', [
      ['images', `${dataset.size} in ${dataset.spec}`],
      ['steps', `${steps} of ${batchSize} images: ${numberText(epochs, 3)} epochs`],
    ])}`,
    json: { config, images: dataset.size, epochs },
  };
}
