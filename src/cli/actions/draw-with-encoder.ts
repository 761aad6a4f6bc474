import type { Dataset } from '../../data/dataset.js';
import { openDataset } from '../../data/spec.js';
import type { View } from '../../data/views.js';
import { type SampleImage, sampleImages } from '../../visualise/sample-images.js';
import type { EncoderPictureOptions } from '../commands/visualise/encoder-options.js';
import type { CommandResult } from '../output.js';
import { type OpenModel, openModel } from './open-model.js';
import { type Picture, writePicture } from './write-picture.js';

/** What a picture that needs an encoder is drawn from. */
export interface EncoderScene {
  readonly model: OpenModel;
  /** What to call the encoder. */
  readonly name: string;
  readonly dataset: Dataset;
  readonly view: View;
  /** Side of the images in pixels. */
  readonly size: number;
  readonly images: readonly SampleImage[];
  /** `8 images of 96 x 96 pixels`. */
  readonly imagesText: string;
}

/**
 * Opens model and images, lets `draw` make a picture of them, and writes it.
 *
 * @param defaultCount images to show where `--count` does not say
 * @param viewOf how images are cut to a size: the central square unless given
 * @throws as `openModel`, `openDataset`, `sampleImages`, `writePicture` and `draw`.
 */
export async function drawWithEncoder(
  options: EncoderPictureOptions,
  defaultCount: number,
  draw: (scene: EncoderScene) => Promise<Picture>,
  viewOf: (size: number) => View = (size) => ({ kind: 'resize-centre-crop', resize: size, size }),
): Promise<CommandResult> {
  const dataset = await openDataset(options.data);
  const model = await openModel(options.model, options);
  try {
    const size = options.size ?? model.size;
    const view = viewOf(size);
    const images = await sampleImages(dataset, view, { count: options.count ?? defaultCount });
    const imagesText = `${images.length} ${images.length === 1 ? 'image' : 'images'} of ${size} x ${size} pixels`;
    const picture = await draw({
      model,
      name: model.run?.name ?? options.model,
      dataset,
      view,
      size,
      images,
      imagesText,
    });
    return writePicture(
      {
        ...picture,
        facts: [['images', imagesText], ...picture.facts],
        json: { images: images.length, size, ...picture.json },
      },
      { run: model.run, out: options.out },
    );
  } finally {
    model.encoder.dispose();
  }
}
