// The case that one process and two processes compute: a small CAPI network, six images, fixed scores.
export async function makeCapi(load, group) {
  const { Capi } = await load('methods/capi/capi.js');
  const { capiRecipe } = await load('methods/capi/capi-config.js');
  const config = capiRecipe.parse({
    method: 'capi',
    model: {
      width: 16,
      depth: 2,
      heads: 2,
      patchSize: 8,
      registers: 4,
      predictor: { depth: 1 },
      dropPath: { rate: 0 },
    },
    data: { imageSize: 32 },
    mask: { predict: 0.5 },
    capi: { prototypes: 12 },
    optim: { steps: 10, warmupSteps: 2, batchSize: 6 },
  });
  return new Capi(config, group ? { group } : {});
}

/** The part of the six images that belongs to `rank` of `worldSize` processes. */
export async function makeBatch(load, capi, rank, worldSize) {
  const { Tensor } = await load('tensor/tensor.js');
  const count = 6 / worldSize;
  const size = 32 * 32 * 3;
  const pixels = Float32Array.from({ length: count * size }, (_, i) => Math.sin(0.37 * (i + rank * count * size)));
  const { visible, predict } = capi.drawMasks(count, rank * count);
  return {
    images_B3YX: Tensor.from(pixels, [count, 3, 32, 32]),
    visible: Tensor.from(BigInt64Array.from(visible, BigInt), [visible.length]),
    predict: Tensor.from(BigInt64Array.from(predict, BigInt), [predict.length]),
  };
}

/** (4, 6, 5) scores. */
export function makeScores(Tensor) {
  return Tensor.from(
    Float32Array.from({ length: 120 }, (_, i) => 6 * Math.sin(0.7 * i)),
    [4, 6, 5],
  );
}
