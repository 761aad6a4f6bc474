import { UsageError } from '../../support/errors.js';
import { drawAttentionSheet } from '../../visualise/attention-sheet.js';
import type { EncoderPictureOptions } from '../commands/visualise/encoder-options.js';
import type { CommandResult } from '../output.js';
import { drawWithEncoder } from './draw-with-encoder.js';

/** The checked options of `tessera visualise attention`. */
export type VisualiseAttentionOptions = EncoderPictureOptions & {
  /** Counted from 0; the last one unless given. */
  readonly block: number | undefined;
};

/** `tessera visualise attention`: JSON with `out`, `images`, `size`, `block` and, of a run, `report`. */
export function visualiseAttention(options: VisualiseAttentionOptions): Promise<CommandResult> {
  return drawWithEncoder(options, 4, async (scene) => {
    const { encoder } = scene.model;
    const block = options.block ?? Math.max(0, encoder.depth - 1);
    if (options.block !== undefined && options.block >= encoder.depth) {
      throw new UsageError(`--block: expected 0 to ${encoder.depth - 1}, received ${options.block}`);
    }
    const heading = `Attention of ${scene.name} · block ${block} of 0 to ${encoder.depth - 1} · ${scene.imagesText}`;
    return {
      name: 'attention',
      content: await drawAttentionSheet(scene.images, encoder, { block, device: options.device, heading }),
      text: {
        title: 'Where the encoder looks',
        caption: `The patches that class token and registers attend to in block ${block}, over all heads and head by head: brightest where most of the attention goes.`,
      },
      facts: [['block', String(block)]],
      json: { block },
    };
  });
}
