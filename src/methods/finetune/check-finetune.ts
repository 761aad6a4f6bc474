import type { VitOptions } from '../../models/vit-options.js';
import { ConfigError } from '../../support/errors.js';
import type { FinetuneConfig } from './finetune-config.js';

/**
 * Checks values that are valid alone and may not be together, or not with the encoder or the number of training images.
 * @throws {ConfigError} listing everything that does not fit.
 */
export function checkFinetune(config: FinetuneConfig, encoder: VitOptions, images: number): void {
  const problems = [...recipeProblems(config, images), ...encoderProblems(config, encoder)];
  if (problems.length === 0) return;
  throw new ConfigError(`The recipe does not fit:\n  ${problems.join('\n  ')}`, {
    hint: 'Change these values in the recipe or on the command line, or start from another encoder.',
  });
}

function recipeProblems({ data, optim }: FinetuneConfig, images: number): string[] {
  const problems: string[] = [];
  const { batchSize, accumulate, epochs, warmupEpochs } = optim;
  if (data.cropScale[0] > data.cropScale[1])
    problems.push(`data.cropScale: expected the smaller share first, received [${data.cropScale}]`);
  if (batchSize > images)
    problems.push(`optim.batchSize: expected at most the ${images} training images, received ${batchSize}`);
  if (batchSize % accumulate !== 0)
    problems.push(`optim.accumulate: expected a divisor of optim.batchSize ${batchSize}, received ${accumulate}`);
  if (warmupEpochs > epochs)
    problems.push(`optim.warmupEpochs: expected at most optim.epochs ${epochs}, received ${warmupEpochs}`);
  return problems;
}

function encoderProblems({ data, model }: FinetuneConfig, encoder: VitOptions): string[] {
  const { patchSize, depth, classToken, positions } = encoder;
  const { imageSize } = data;
  const problems: string[] = [];
  if (imageSize % patchSize !== 0) {
    const near = Math.max(1, Math.round(imageSize / patchSize)) * patchSize;
    problems.push(
      `data.imageSize: expected a multiple of the encoder’s patch size ${patchSize}, received ${imageSize}; the nearest is ${near}`,
    );
  } else if (positions.kind === 'relative' && positions.rows * patchSize !== imageSize) {
    problems.push(
      `data.imageSize: expected ${positions.rows * patchSize}, the only size that this encoder takes, received ${imageSize}`,
    );
  }
  if (model.pool === 'class' && !classToken)
    problems.push('model.pool: expected patches, as this encoder has no class token, received class');
  if (model.freezeBlocks > depth)
    problems.push(`model.freezeBlocks: expected at most the encoder’s ${depth} blocks, received ${model.freezeBlocks}`);
  return problems;
}
