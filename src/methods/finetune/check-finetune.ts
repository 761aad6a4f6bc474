import type { VitOptions } from '../../models/vit-options.js';
import { ConfigError } from '../../support/errors.js';
import { atMost, evenParts, multipleOfPatch, smallerFirst } from '../../train/recipe-problems.js';
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
  const { batchSize, epochs, warmupEpochs } = optim;
  const problems = smallerFirst('data.cropScale', data.cropScale);
  if (batchSize > images)
    problems.push(`optim.batchSize: expected at most the ${images} training images, received ${batchSize}`);
  return [...problems, ...evenParts(optim), ...atMost('optim.warmupEpochs', warmupEpochs, 'optim.epochs', epochs)];
}

function encoderProblems({ data, model }: FinetuneConfig, encoder: VitOptions): string[] {
  const { patchSize, depth, classToken, positions } = encoder;
  const { imageSize } = data;
  const problems = multipleOfPatch('data.imageSize', imageSize, 'the encoder’s patch size', patchSize);
  if (problems.length === 0 && positions.kind === 'relative' && positions.rows * patchSize !== imageSize) {
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
