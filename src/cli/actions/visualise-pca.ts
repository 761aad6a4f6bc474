import { join } from 'node:path';
import type { Dataset } from '../../data/dataset.js';
import { openDataset } from '../../data/spec.js';
import type { View } from '../../data/views.js';
import type { ImageEncoder } from '../../models/encoder.js';
import { loadEncoder } from '../../models/load-encoder.js';
import { UsageError } from '../../support/errors.js';
import { Progress } from '../../support/progress.js';
import { datasetComponents } from '../../visualise/dataset-components.js';
import { drawPcaSheet, type ShownEncoder } from '../../visualise/pca-sheet.js';
import { disposeComponents, type PrincipalComponents } from '../../visualise/principal-components.js';
import { sampleImages } from '../../visualise/sample-images.js';
import type { EncoderPictureOptions } from '../commands/visualise/encoder-options.js';
import type { CommandResult } from '../output.js';
import { openModel } from './open-model.js';
import { writePicture } from './write-picture.js';

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

/** `tessera visualise pca`: JSON with `out`, `images` and `size`. */
export async function visualisePca(options: VisualisePcaOptions): Promise<CommandResult> {
  const { model, withFloor, count = 8 } = options;
  if (withFloor && model.startsWith('random:')) {
    throw new UsageError(`--with-floor: expected a trained encoder to compare with, received ${model}`);
  }
  const dataset = await openDataset(options.data);
  const { encoder, run, size: trainedSize } = await openModel(model, options);
  const encoders = [encoder];
  try {
    if (withFloor) encoders.push(await loadEncoder(`random:${model}`, { device: options.device ?? 'cpu' }));
    const size = options.size ?? trainedSize;
    const view = { kind: 'resize-centre-crop', resize: size, size } as const;
    const images = await sampleImages(dataset, view, { count });
    const names = withFloor ? ['Trained', 'Untrained'] : [];
    const shown: ShownEncoder[] = [];
    for (const [i, each] of encoders.entries()) {
      const shared = options.fit === undefined ? undefined : await fitted(each, dataset, view, options);
      shown.push({ ...(names[i] && { name: names[i] }), encoder: each, shared });
    }
    const png = await drawPcaSheet(images, shown, {
      ...options,
      heading: `Patch features of ${run?.name ?? model} · ${images.length} images of ${size} x ${size} pixels`,
    });
    for (const { shared } of shown) if (shared) disposeComponents(shared);
    const out = options.out ?? join(run?.images ?? '.', 'pca.png');
    const facts = [['images', `${images.length} of ${size} x ${size} pixels`]] as const;
    return writePicture(out, png, facts, { images: images.length, size });
  } finally {
    for (const each of encoders) each.dispose();
  }
}

/** Components of many images of the data set. */
async function fitted(
  encoder: ImageEncoder,
  dataset: Dataset,
  view: View,
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
