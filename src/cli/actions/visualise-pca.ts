import type { ImageEncoder } from '../../models/encoder.js';
import { loadEncoder } from '../../models/load-encoder.js';
import { UsageError } from '../../support/errors.js';
import { Progress } from '../../support/progress.js';
import { datasetComponents } from '../../visualise/dataset-components.js';
import { drawPcaSheet, type ShownEncoder } from '../../visualise/pca-sheet.js';
import { disposeComponents, type PrincipalComponents } from '../../visualise/principal-components.js';
import type { EncoderPictureOptions } from '../commands/visualise/encoder-options.js';
import type { CommandResult } from '../output.js';
import { drawWithEncoder, type EncoderScene } from './draw-with-encoder.js';

/** The checked options of `tessera visualise pca`. */
export type VisualisePcaOptions = EncoderPictureOptions & {
  /** Also show the untrained encoder of the same sizes. */
  readonly withFloor: boolean;
  /** Images that shared components are computed from; those shown unless given. */
  readonly fit: number | undefined;
  readonly components: 'alone' | 'shared' | 'both';
  readonly channels: number | undefined;
  readonly whiten: boolean;
};

const reading =
  'Patch features as colours: the strongest principal components are red, green and blue, and similar colours stand for similar features, within an image or, where they are shared, in all of them.';

/** `tessera visualise pca`: JSON with `out`, `images`, `size` and, of a run, `report`. */
export function visualisePca(options: VisualisePcaOptions): Promise<CommandResult> {
  const { model, withFloor } = options;
  if (withFloor && model.startsWith('random:')) {
    throw new UsageError(`--with-floor: expected a trained encoder to compare with, received ${model}`);
  }
  return drawWithEncoder(options, 8, async (scene) => {
    const floor = withFloor ? await loadEncoder(`random:${model}`, { device: options.device ?? 'cpu' }) : undefined;
    const shown: ShownEncoder[] = [];
    try {
      const { encoder } = scene.model;
      for (const each of floor
        ? [
            { name: 'Trained', encoder },
            { name: 'Untrained', encoder: floor },
          ]
        : [{ encoder }]) {
        const shared = options.fit === undefined ? undefined : await fitted(each.encoder, scene, options);
        shown.push({ ...each, shared });
      }
      const heading = `Patch features of ${scene.name} · ${scene.imagesText}`;
      const content = await drawPcaSheet(scene.images, shown, { ...options, heading });
      return { name: 'pca', content, text: { title: 'What the encoder sees', caption: reading }, facts: [], json: {} };
    } finally {
      for (const { shared } of shown) if (shared) disposeComponents(shared);
      floor?.dispose();
    }
  });
}

/** Components of many images of the data set. */
async function fitted(
  encoder: ImageEncoder,
  { dataset, view }: EncoderScene,
  options: VisualisePcaOptions,
): Promise<PrincipalComponents> {
  const { fit = 0, channels = 0, whiten } = options;
  using progress = new Progress('components', 2 * Math.min(fit, dataset.size), { unit: 'images' });
  const components = await datasetComponents({
    ...options,
    ...{ encoder, dataset, view },
    images: fit,
    components: { count: Math.max(3, channels), whiten },
    onProgress: (done) => progress.update(done),
  });
  progress.finish();
  return components;
}
