import { Progress } from '../../support/progress.js';
import { drawDictionarySheet } from '../../visualise/dictionary-sheet.js';
import type { EncoderPictureOptions } from '../commands/visualise/encoder-options.js';
import type { CommandResult } from '../output.js';
import { drawWithEncoder } from './draw-with-encoder.js';

/** The checked options of `tessera visualise dictionary`. */
export type VisualiseDictionaryOptions = EncoderPictureOptions & {
  readonly alpha: number | undefined;
};

/** `tessera visualise dictionary`: JSON with `out`, `images`, `size`, `alpha` and, of a run, `report`. */
export function visualiseDictionary(options: VisualiseDictionaryOptions): Promise<CommandResult> {
  const { alpha = 1 } = options;
  return drawWithEncoder(options, 6, async (scene) => {
    using progress = new Progress('dictionaries', 3 * (scene.images.length + (scene.images.length > 1 ? 1 : 0)));
    const content = await drawDictionarySheet(scene.images, scene.model.encoder, {
      ...options,
      alpha,
      heading: `Dictionaries of ${scene.name} · ${scene.imagesText}`,
      onProgress: (done) => progress.update(done),
    });
    progress.finish();
    return {
      name: 'dictionary',
      content,
      text: {
        title: 'What patches are made of',
        caption:
          'Patch features as sparse mixtures of a few learned atoms, each with a colour: plain areas of one colour are parts that the encoder sees as one thing.',
      },
      facts: [['alpha', String(alpha)]],
      json: { alpha },
    };
  });
}
