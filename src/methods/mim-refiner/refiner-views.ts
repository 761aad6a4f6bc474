import { type Augmentation, byolAugmentations } from '../../data/augment.js';
import type { View } from '../../data/views.js';
import type { RefinerConfig } from './refiner-config.js';

/** Views of an image that the loss takes as anchors; the local ones follow them. */
export const GLOBAL_VIEWS = 2;

/** What the decoding threads make of an image. Source: MIM-Refiner zztemplates/datasets/imagenet. */
export function refinerViews({ data }: RefinerConfig): View[] {
  const { imageSize, globalScale, localSize, localScale, localViews } = data;
  const [first, second, local] = augmentationsOf(data.augmentation);
  const view = (size: number, scale: readonly [number, number], augment: Augmentation): View => ({
    kind: 'random-resized-crop',
    size,
    scale: [...scale],
    flip: true,
    augment,
  });
  return [
    view(imageSize, globalScale, first),
    view(imageSize, globalScale, second),
    ...Array.from({ length: localViews }, () => view(localSize, localScale, local)),
  ];
}

/** What happens to the first global view, the second one, and the local ones. */
function augmentationsOf(kind: RefinerConfig['data']['augmentation']): [Augmentation, Augmentation, Augmentation] {
  if (kind === 'minimal') return [{}, {}, {}];
  const { global0, global1, local } = byolAugmentations;
  if (kind === 'byol') return [global0, global1, local];
  const { jitter, greyscale } = local;
  return [
    { jitter, greyscale },
    { jitter, greyscale },
    { jitter, greyscale },
  ];
}
