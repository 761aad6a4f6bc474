// N images · D width
import type { Dataset } from '../../data/dataset.js';
import { openDataset } from '../../data/spec.js';
import { nearestNeighbours } from '../../evals/knn/nearest-neighbours.js';
import { pooledKind } from '../../evals/measure/pooling-options.js';
import { extractFeatures } from '../../features/extract.js';
import { evaluationView } from '../../features/extraction-pass.js';
import { takePart } from '../../features/parts.js';
import type { ImageEncoder } from '../../models/encoder.js';
import { normalisePixels } from '../../models/patches.js';
import { UsageError } from '../../support/errors.js';
import { Progress } from '../../support/progress.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { countAgreeing, drawNeighbourSheet, type NeighbourRow } from '../../visualise/neighbour-sheet.js';
import { imagesAt, type SampleImage } from '../../visualise/sample-images.js';
import type { EncoderPictureOptions } from '../commands/visualise/encoder-options.js';
import type { CommandResult } from '../output.js';
import { drawWithEncoder, type EncoderScene } from './draw-with-encoder.js';

/** The checked options of `tessera visualise neighbours`. */
export type VisualiseNeighboursOptions = EncoderPictureOptions & {
  /** Images to look among; the others of the data unless given. */
  readonly gallery: string | undefined;
  readonly k: number | undefined;
  readonly pooling: 'patches' | 'global';
};

/** For each query the places of its neighbours in the gallery, and their cosines. */
type Found = readonly (readonly { readonly place: number; readonly cosine: number }[])[];

const VIEW = 'resize-centre-crop';

/** `tessera visualise neighbours`: JSON with `out`, `images`, `size`, `k`, `gallery` (images in it), `agreeing` (percent). */
export function visualiseNeighbours(options: VisualiseNeighboursOptions): Promise<CommandResult> {
  const { k = 7, pooling } = options;
  const draw = async (scene: EncoderScene) => {
    const gallery = options.gallery === undefined ? scene.dataset : await openDataset(options.gallery);
    const others = options.gallery === undefined ? gallery.size - 1 : gallery.size;
    if (k > others) throw new UsageError(`--k: expected at most ${others}, the images to look among, received ${k}`);
    const found = await lookUp(scene, gallery, options, k);
    const rows = await neighbourRows(scene, gallery, found);
    const { known, right } = countAgreeing(rows);
    const agreeing = known === 0 ? undefined : (100 * right) / known;
    return {
      name: 'neighbours',
      content: await drawNeighbourSheet(
        rows,
        `Nearest neighbours by ${scene.name} · ${scene.imagesText} among ${others} · ${pooling === 'patches' ? 'mean of patches' : 'global vector'}`,
      ),
      text: {
        title: 'Which images are alike',
        caption:
          'Each row: an image and those whose features are nearest to its own. Green frames: of the same class; red ones: of another.',
      },
      facts: [
        ['gallery', `${others} images`],
        ...(agreeing === undefined ? [] : [['same class', `${agreeing.toFixed(1)} %`] as const]),
      ] as const,
      json: { k, gallery: others, ...(agreeing !== undefined && { agreeing }) },
    };
  };
  return drawWithEncoder(options, 8, draw, (size) => evaluationView(VIEW, size));
}

async function lookUp(
  { model: { encoder }, size, images, dataset }: EncoderScene,
  gallery: Dataset,
  { device = 'cpu', pooling }: VisualiseNeighboursOptions,
  k: number,
): Promise<Found> {
  const kind = pooledKind(pooling);
  using progress = new Progress('gallery', gallery.size, { unit: 'images' });
  const features = await extractFeatures({
    ...{ encoder, dataset: gallery, size, device, view: VIEW, kinds: [kind] },
    onProgress: (done) => progress.update(done),
  });
  progress.finish();
  try {
    // The image itself is its nearest neighbour, or shares the first place with its doubles.
    const itself = gallery === dataset;
    const neighbours = scope(() => {
      const query_ND = queryFeatures(images, encoder, kind, device);
      return nearestNeighbours(query_ND, features[`${kind}_ND`]!, {
        k: itself ? k + 1 : k,
        distance: 'cosine',
        device,
      });
    });
    return images.map(({ index }, row) => {
      const all = Array.from({ length: neighbours.k }, (_, i) => ({
        place: features.indices[neighbours.indices[row * neighbours.k + i]!]!,
        cosine: 1 - neighbours.distances[row * neighbours.k + i]!,
      }));
      return all.filter(({ place }) => !itself || place !== index).slice(0, k);
    });
  } finally {
    features.dispose();
  }
}

/** One row for each image. */
function queryFeatures(
  images: readonly SampleImage[],
  encoder: ImageEncoder,
  kind: 'patchMean' | 'global',
  device: string,
): Tensor {
  return scope(() => {
    const rows = images.map(({ picture: { data, width, height }, caption }) => {
      const images_13YX = normalisePixels(data, [1, height, width], device);
      return takePart({ kind }, encoder.embed(images_13YX), caption);
    });
    return ops.cat(rows);
  });
}

async function neighbourRows(
  { images, dataset, view }: EncoderScene,
  gallery: Dataset,
  found: Found,
): Promise<NeighbourRow[]> {
  const wanted = [...new Set(found.flat().map(({ place }) => place))].sort((a, b) => a - b);
  const pictures = new Map((await imagesAt(gallery, view, wanted)).map((image, i) => [wanted[i]!, image]));
  const classOf = (set: Dataset, place: number) => set.classes?.[set.item(place).label!];
  return images.map(({ picture, caption, index }, row) => ({
    picture,
    caption,
    neighbours: found[row]!.map(({ place, cosine }) => {
      const [own, other] = [classOf(dataset, index), classOf(gallery, place)];
      const agrees = own === undefined || other === undefined ? undefined : own === other;
      return { ...pictures.get(place)!, cosine, agrees };
    }),
  }));
}
