import type { Command } from 'commander';
import { OptionReader, type RawOptions } from '../option-reader.js';
import { defineAction } from '../run-command.js';
import { addTrainingOptions, readTrainingOptions } from './training-options.js';

/** `tessera pretrain`. */
export function register(program: Command): void {
  const command = program
    .command('pretrain')
    .summary('pre-train an encoder from images without labels')
    .description('Pre-trains an encoder from images without labels, as a recipe says. Ctrl+C saves, then stops.')
    .option('--from <weights>', 'start from the weights of a run folder or a checkpoint file');
  addTrainingOptions(command);
  defineAction(
    command,
    [
      'pretrain capi-tiny-cpu --data photos/ --out runs/first',
      'pretrain capi-tiny-cpu optim.lr=1e-3 --data photos/ --out runs/faster --max-steps 2000',
      'pretrain capi-tiny-cpu --data photos/ --out runs/first --resume',
      "pretrain my.yaml --data 'scenes://?split=train&count=4096&size=96' --out runs/try --dry-run",
    ],
    async (recipe: string, overrides: string[], raw: RawOptions) => {
      const read = new OptionReader(raw);
      const options = readTrainingOptions(read);
      read.done('pretrain');
      const { pretrain } = await import('../actions/pretrain.js');
      return pretrain({ command: 'pretrain', recipe, overrides, ...options });
    },
  );
}
