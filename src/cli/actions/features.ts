import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { openDataset } from '../../data/spec.js';
import { extractFeatures as extract } from '../../features/extract.js';
import { writeFeatures } from '../../features/write-features.js';
import { byteText } from '../../support/byte-text.js';
import { Progress } from '../../support/progress.js';
import { type CommandResult, cardText } from '../output.js';
import { openModel } from './open-model.js';

/** The checked options of `tessera features`. */
export type FeaturesOptions = {
  readonly model: string;
  readonly data: string;
  /** Ends in .safetensors, .npy or .parquet. */
  readonly out: string;
  readonly weights: 'student' | 'teacher';
  readonly pooling: 'patches' | 'global';
  readonly size: number | undefined;
  readonly device: string | undefined;
  readonly threads: number | undefined;
  readonly workers: number | undefined;
};

/** `tessera features`: JSON with `out`, `files`, `images`, `width`, `size`, `pooling` and `broken` (names). */
export async function extractFeatures(options: FeaturesOptions): Promise<CommandResult> {
  const { device = 'cpu', workers, pooling, out } = options;
  const dataset = await openDataset(options.data);
  const model = await openModel(options.model, options);
  const size = options.size ?? model.size;
  try {
    using progress = new Progress('features', dataset.size, { unit: 'images' });
    const kind = pooling === 'global' ? 'global' : 'patchMean';
    const features = await extract({
      encoder: model.encoder,
      dataset,
      size,
      view: 'resize-centre-crop',
      kinds: [kind],
      device,
      ...(workers !== undefined && { workers }),
      onProgress: (done) => progress.update(done),
    });
    try {
      const features_ND = features[`${kind}_ND`]!;
      const { names, labels, broken } = features;
      const { classes } = dataset;
      mkdirSync(dirname(out), { recursive: true });
      const files = writeFeatures(out, { features_ND, names, ...(classes && { labels, classes }) });
      progress.finish();
      const width = features_ND.size(1);
      const card = cardText(`features of ${features.count} images`, [
        ['model', options.model],
        ['width', `${width}, ${pooling === 'global' ? 'the global vector' : 'the mean of the patches'}`],
        ['size', `${size} x ${size} pixels`],
        [
          'unreadable',
          broken.length > 0
            ? broken
                .map(({ name }) => name)
                .slice(0, 10)
                .join(', ')
            : undefined,
        ],
        ['written', files.map((file) => `${file} (${byteText(statSync(file).size)})`).join(', ')],
      ]);
      const json = { out, files, images: features.count, width, size, pooling, broken: broken.map(({ name }) => name) };
      return { card, json };
    } finally {
      features.dispose();
    }
  } finally {
    model.encoder.dispose();
  }
}
