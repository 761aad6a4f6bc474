import type { Command } from 'commander';
import type { RawOptions } from '../../option-reader.js';
import { defineAction } from '../../run-command.js';
import { addEncoderOptions, readEncoderOptions } from './encoder-options.js';

/** `tessera visualise attention`. */
export function register(visualise: Command): void {
  const command = visualise
    .command('attention')
    .summary('where class token, registers and heads look')
    .description(
      'Draws which patches the class token and the registers attend to in a block, together and head by head.',
    );
  addEncoderOptions(command, 'attention', 'number of images (default: 4)').option(
    '--block <n>',
    'block, counted from 0 (default: the last one)',
  );
  const examples = [
    'visualise attention --model runs/first --data photos/',
    'visualise attention --model runs/first --data photos/ --block 3 --count 2 --size 448',
  ];
  defineAction(command, examples, async (raw: RawOptions) => {
    const options = readEncoderOptions(raw, 'visualise attention', (read) => ({ block: read.integer('block', 0) }));
    const { visualiseAttention } = await import('../../actions/visualise-attention.js');
    return visualiseAttention(options);
  });
}
