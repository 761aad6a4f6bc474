// The case that one process and two processes compute: a small encoder with two heads, six images, two steps. In float64, as
// in float32 Adam makes steps of the rounding noise in gradients that are zero, and the second step differs.
export const STEPS = 2;

export async function makeRefiner(load, group) {
  const { MimRefiner } = await load('methods/mim-refiner/mim-refiner.js');
  const { refinerRecipe } = await load('methods/mim-refiner/refiner-config.js');
  const { vitOptions } = await load('models/vit-options.js');
  const stage = { steps: 10, warmupSteps: 1, lr: 1, topK: 3 };
  const config = refinerRecipe.parse({
    method: 'mim-refiner',
    data: { imageSize: 16, localViews: 2, localSize: 8 },
    heads: {
      on: ['last', { block: 0, pool: 'patches' }],
      ...{ projectorWidth: 24, predictorWidth: 24, outputWidth: 12, queueSize: 15 },
    },
    stages: { heads: { ...stage, steps: 1 }, refine: stage },
    optim: { batchSize: 6, precision: 'float64' },
  });
  const sizes = { patchSize: 4, width: 16, depth: 2, heads: 2 };
  const encoder = { kind: 'vit', ...vitOptions({ ...sizes, positions: { kind: 'table', rows: 4, columns: 4 } }) };
  return new MimRefiner(config, group ? { encoder, group } : { encoder });
}

/** The part of a step's six images that belongs to `rank` of `worldSize` processes. */
export async function makeBatch(load, step, rank, worldSize) {
  const { Tensor } = await load('tensor/tensor.js');
  const count = 6 / worldSize;
  const images = (views, side, phase) => {
    const size = 3 * side * side;
    const pixel = (view, image, i) => Math.sin(phase + 0.37 * i + 1.7 * (image + rank * count) + 0.3 * view + step);
    const pixels = Float64Array.from({ length: views * count * size }, (_, at) =>
      pixel(Math.floor(at / (count * size)), Math.floor(at / size) % count, at % size),
    );
    return Tensor.from(pixels, [views * count, 3, side, side]);
  };
  const whole = (first) =>
    Tensor.from(
      BigInt64Array.from({ length: count }, (_, i) => BigInt(first + i)),
      [count],
    );
  return {
    globals_N3YX: images(2, 16, 0),
    locals_N3YX: images(2, 8, 2),
    indices_B: whole(4 * step + rank * count),
    labels_B: whole(rank * count),
    labelled: true,
  };
}

/** What a step left behind, by name: gradients, running statistics, queues. */
export function traces(refiner) {
  const result = new Map();
  const modules = [['encoder', refiner.student.backbone], ...refiner.heads];
  for (const [part, module] of modules) {
    for (const [name, parameter] of module.parameters(`${part}.`))
      if (parameter.grad) result.set(`grad.${name}`, parameter.grad);
    for (const [name, buffer] of module.buffers(`${part}.`)) result.set(name, buffer);
  }
  return result;
}
