// N images · B images of a batch · V crops of an image · D width · S side in pixels
import { evenlySpread } from '../../data/dataset.js';
import { Loader } from '../../data/loader.js';
import { askedBytes } from '../../features/asked-images.js';
import { takePart } from '../../features/parts.js';
import { normaliseImages } from '../../models/patches.js';
import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';
import { type PooledChoice, pooledParts } from '../measure/pooled-rows.js';
import type { EvaluationContext } from '../task.js';
import type { CropScatter } from './effective-rank.js';

/** Share of the image's area that a crop covers. */
const CROP = [0.2, 1] as const;

/**
 * How features of random crops, half of them flipped, scatter within images and between them; the caller disposes of it.
 * Images that cannot be read are left out.
 *
 * @param choice what stands for a crop @param views crops of each image @param count images at most
 * @throws {DataError} too many images are broken.
 */
export async function cropScatter(
  context: EvaluationContext<'test'>,
  choice: PooledChoice,
  views: number,
  count: number,
): Promise<CropScatter> {
  const { data, size, seed, workers, batchSize, progress } = context;
  const dataset = data.test;
  const order = evenlySpread(dataset, count);
  const loader = new Loader({
    dataset,
    views: Array(views).fill({ kind: 'random-resized-crop', size, scale: CROP, flip: true }),
    batchSize: Math.max(1, Math.floor(batchSize / views)),
    order,
    ...{ seed, workers },
  });
  const means: Tensor[] = [];
  let within_DD: Tensor | undefined;
  let done = 0;
  try {
    for await (const batch of loader) {
      done += batch.size;
      const [mean_BD, scatter_DD] = scope(() => {
        const pixels_BVSS3 = askedBytes(batch, batch.images, [views, size, size, 3]);
        return scatterOf(context, choice, pixels_BVSS3, batch.names[0]!);
      });
      means.push(mean_BD);
      within_DD ??= ops.zerosLike(scatter_DD).retain();
      ops.add_(within_DD, scatter_DD);
      scatter_DD.dispose();
      progress('crops', done, order.length);
    }
    return scope(() => {
      const mean_ND = ops.cat(means);
      const offset_ND = ops.sub(mean_ND, ops.meanDim(mean_ND, [0], true));
      const number = mean_ND.size(0);
      return {
        between_DD: ops.div(ops.matmul(ops.transpose(offset_ND, 0, 1), offset_ND), number),
        within_DD: ops.div(within_DD!, number * views),
      };
    });
  } finally {
    for (const tensor of means) tensor.dispose();
    within_DD?.dispose();
    await loader.close();
  }
}

/** Means (B, D) of the images of a batch, and the sum of products of what their crops differ from these by. */
function scatterOf(
  { encoder, device }: EvaluationContext<'test'>,
  choice: PooledChoice,
  pixels_BVSS3: Tensor,
  near: string,
): [Tensor, Tensor] {
  const [images, views] = pixels_BVSS3.shape as [number, number];
  const flat = ops.flatten(pixels_BVSS3, 0, 1);
  const parts = pooledParts(encoder, choice);
  const blocks = parts.flatMap(({ block }) => block ?? []);
  const embedding = encoder.embed(
    normaliseImages(ops.toDevice(flat, device, 'uint8')),
    blocks.length > 0 ? { blocks } : {},
  );
  const rows = ops.cat(
    parts.map((part) => takePart(part, embedding, near)),
    1,
  );
  const double_BVD = ops.unflatten(ops.to(rows, 'float64'), 0, [images, views]);
  const mean_B1D = ops.meanDim(double_BVD, [1], true);
  const offset_SD = ops.flatten(ops.sub(double_BVD, mean_B1D), 0, 1);
  return [ops.flatten(mean_B1D, 0, 1), ops.matmul(ops.transpose(offset_SD, 0, 1), offset_SD)];
}
