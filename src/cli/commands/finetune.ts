import type { Command } from 'commander';
import { joinSpecs, OptionReader, type RawOptions } from '../option-reader.js';
import { defineAction } from '../run-command.js';
import { addRunOptions, readRunOptions } from './training-options.js';

/** What is done where no recipe is named. */
const USUAL_RECIPE = 'finetune-tiny-cpu';

/** `tessera finetune`. */
export function register(program: Command): void {
  const command = program
    .command('finetune')
    .summary('train an encoder with a classifier on labelled images')
    .description(
      'Trains a whole encoder and a linear classifier on labelled images, as a recipe says: layer-wise learning rates, mixup, cutmix, random erasing, label smoothing, dropped paths. Ctrl+C saves, then stops.',
    )
    .argument('[recipe]', `name of a recipe that comes with Tessera, or path of a YAML file (default: ${USUAL_RECIPE})`)
    .argument('[overrides...]', 'values that replace those of the recipe: key.path=value')
    .option('--model <m>', 'the encoder: a run folder, a weights file, or random:<either> (untrained, the floor)')
    .option('--train <spec>', 'labelled images to train on', joinSpecs)
    .option('--test <spec>', 'labelled images to judge on, while training and at the end', joinSpecs)
    .option('--weights <which>', 'encoder of a run: teacher (the averaged one, default) or student');
  addRunOptions(command);
  defineAction(
    command,
    [
      'finetune --model runs/first --train data/train --test data/test --out runs/classifier',
      'finetune --model random:runs/first --train data/train --test data/test --out runs/floor',
      'finetune finetune-l16 --model mae_refined_l16.th --train imagenet/train --test imagenet/val --out runs/l16',
      'finetune optim.epochs=20 mix.cutmix=0 --model runs/first --train data/train --test data/test --out runs/short',
      'finetune --train data/train --test data/test --out runs/classifier --resume',
    ],
    async (recipe: string | undefined, overrides: string[], raw: RawOptions) => {
      const read = new OptionReader(raw);
      const options = {
        from:
          raw.resume === true
            ? read.text('model')
            : read.required('model', 'an encoder, for example --model runs/first'),
        data: read.required('train', 'labelled images, for example --train data/train'),
        test: read.text('test'),
        weights: read.choice('weights', ['teacher', 'student']),
        ...readRunOptions(read),
      };
      read.done('finetune');
      const { pretrain } = await import('../actions/pretrain.js');
      if (recipe !== undefined && !recipe.includes('=')) {
        return pretrain({ command: 'finetune', recipe, overrides, ...options });
      }
      // Without a recipe, what was read as one is an override, and images are as large as the encoder knows them.
      const { trainedImageSize } = await import('../../recipes/trained-image-size.js');
      const size = trainedImageSize(options.resume ? options.out : (options.from ?? '').replace(/^random:/, ''));
      const given = [recipe, ...overrides].filter((override) => override !== undefined);
      return pretrain({
        command: 'finetune',
        recipe: USUAL_RECIPE,
        overrides: size === undefined ? given : [`data.imageSize=${size}`, ...given],
        ...options,
      });
    },
  );
}
