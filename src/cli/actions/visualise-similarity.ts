import { drawSimilaritySheet, type Point } from '../../visualise/similarity-sheet.js';
import type { EncoderPictureOptions } from '../commands/visualise/encoder-options.js';
import type { CommandResult } from '../output.js';
import { drawWithEncoder } from './draw-with-encoder.js';

/** The checked options of `tessera visualise similarity`. */
export type VisualiseSimilarityOptions = EncoderPictureOptions & {
  readonly points: readonly Point[];
  /** Compare all images with the first one's patches. */
  readonly across: boolean;
};

/** `tessera visualise similarity`: JSON with `out`, `images`, `size`, `points` and, of a run, `report`. */
export function visualiseSimilarity(options: VisualiseSimilarityOptions): Promise<CommandResult> {
  const { points } = options;
  return drawWithEncoder(options, 8, async (scene) => {
    const heading = `Similarity of patches by ${scene.name} · ${scene.imagesText}`;
    return {
      name: 'similarity',
      content: await drawSimilaritySheet(scene.images, scene.model.encoder, { ...options, heading }),
      text: {
        title: 'Which patches are alike',
        caption:
          'Cosine between the features of the framed patch and all others: the thing that the patch belongs to should light up, and nothing else.',
      },
      facts: [['points', points.map(({ x, y }) => `${x},${y}`).join('  ')]],
      json: { points },
    };
  });
}
