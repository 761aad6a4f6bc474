import type { Command } from 'commander';
import type { RawOptions } from '../../option-reader.js';
import { defineAction } from '../../run-command.js';
import { addEncoderOptions, readEncoderOptions } from './encoder-options.js';

/** `tessera visualise dictionary`. */
export function register(visualise: Command): void {
  const command = visualise
    .command('dictionary')
    .summary('patch features as mixtures of a few atoms')
    .description(
      'Draws images beside sparse codes of their patch features (dictionary learning, as CAPI published): of three, six and ten atoms, of each image alone and of all together.',
    );
  addEncoderOptions(command, 'dictionary', 'number of images (default: 6)').option(
    '--alpha <x>',
    'how much codes cost: more makes them sparser (default: 1)',
  );
  const examples = [
    'visualise dictionary --model runs/first --data photos/',
    'visualise dictionary --model runs/first --data photos/ --count 1 --size 896',
  ];
  defineAction(command, examples, async (raw: RawOptions) => {
    const options = readEncoderOptions(raw, 'visualise dictionary', (read) => {
      const alpha = raw.alpha === undefined ? undefined : Number(raw.alpha || Number.NaN);
      if (alpha !== undefined && !(alpha > 0 && Number.isFinite(alpha)))
        read.wrong(`--alpha: expected a number above 0, received ${String(raw.alpha) || 'nothing'}`);
      return { alpha };
    });
    const { visualiseDictionary } = await import('../../actions/visualise-dictionary.js');
    return visualiseDictionary(options);
  });
}
