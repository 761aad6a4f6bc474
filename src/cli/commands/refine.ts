import type { Command } from 'commander';
import { OptionReader, type RawOptions } from '../option-reader.js';
import { defineAction } from '../run-command.js';
import { addTrainingOptions, readTrainingOptions } from './training-options.js';

/** `tessera refine`. */
export function register(program: Command): void {
  const command = program
    .command('refine')
    .summary('lift an encoder that was trained by masked image modelling')
    .description(
      'Refines a trained encoder: heads on its blocks learn to tell images apart, first alone, then together with the encoder (MIM-Refiner). Ctrl+C saves, then stops.',
    )
    .option('--from <checkpoint>', 'the encoder: a run folder, a checkpoint or a published weights file')
    .option('--stage <stage>', 'heads or refine: one of the two stages (default: both)')
    .option(
      '--watch <spec>',
      'labelled images on which the k-NN of every block and head is followed (default: --data, where it has classes)',
    );
  addTrainingOptions(command);
  defineAction(
    command,
    [
      'refine refine-capi-tiny-cpu --from runs/first --data photos/ --watch labelled/ --out runs/refined',
      'refine refine-mae-l16 --from mae_pretrain_vit_large.pth --data /images --out runs/refined --dry-run',
      'refine refine-capi-tiny-cpu --from runs/first --data photos/ --out runs/refined --resume',
      'refine refine-mae-l16 heads.on=[last,22,21,20] --from mae.pth --data /images --out runs/heads --stage heads',
      'refine refine-mae-l16 heads.on=[last,22,21,20] --from runs/heads --data /images --out runs/two --stage refine',
    ],
    async (recipe: string, overrides: string[], raw: RawOptions) => {
      const read = new OptionReader(raw);
      const options = readTrainingOptions(read);
      const stage = read.choice('stage', ['heads', 'refine', 'both']);
      const watch = read.text('watch');
      read.done('refine');
      const { pretrain } = await import('../actions/pretrain.js');
      const staged = stage === undefined ? overrides : [...overrides, `stage=${stage}`];
      return pretrain({ command: 'refine', recipe, overrides: staged, watch, ...options });
    },
  );
}
