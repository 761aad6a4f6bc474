import type { VitOptions } from '../../models/vit-options.js';
import { ConfigError } from '../../support/errors.js';
import { suggestion } from '../../support/nearest-name.js';
import { atMost, multipleOfPatch, smallerFirst } from '../../train/recipe-problems.js';
import { keptHeads, listHeads } from './head-list.js';
import type { RefinerConfig } from './refiner-config.js';

/**
 * Checks values that are valid alone and may not be together, or not with the encoder that is refined.
 * @throws {ConfigError} listing everything that does not fit.
 */
export function checkRefiner(config: RefinerConfig, encoder: VitOptions): void {
  const problems = [...recipeProblems(config), ...encoderProblems(config, encoder)];
  if (problems.length === 0) return;
  throw new ConfigError(`The recipe does not fit:\n  ${problems.join('\n  ')}`, {
    hint: 'Change these values in the recipe or on the command line, or start from another encoder.',
  });
}

function recipeProblems(config: RefinerConfig): string[] {
  const { data, heads, stages, optim } = config;
  const problems: string[] = [];
  const names = listHeads(config).map(({ name }) => name);
  for (const name of new Set(names.filter((name, at) => names.indexOf(name) !== at)))
    problems.push(`heads.on: expected different names, received two heads "${name}"; give one of them a name`);
  for (const name of stages.refine.keepHeads ?? []) {
    if (names.includes(name)) continue;
    problems.push(
      `stages.refine.keepHeads: expected names of ${names.join(', ')}, received ${name}${suggestion(name, names)}`,
    );
  }
  if (keptHeads(config).length === 0) problems.push('stages.refine.keepHeads: expected at least one head');
  problems.push(...smallerFirst('data.globalScale', data.globalScale));
  problems.push(...smallerFirst('data.localScale', data.localScale));
  if (heads.queueSize < optim.batchSize)
    problems.push(
      `heads.queueSize: expected at least optim.batchSize ${optim.batchSize}, received ${heads.queueSize}: the queue would not hold one step`,
    );
  for (const name of ['heads', 'refine'] as const) {
    const { steps, warmupSteps, topK } = stages[name];
    if (config.stage !== 'both' && config.stage !== name) continue;
    if (steps === 0)
      problems.push(`stages.${name}.steps: expected at least 1; stage=${otherStage(name)} leaves it out`);
    problems.push(...atMost(`stages.${name}.warmupSteps`, warmupSteps, `stages.${name}.steps`, steps));
    problems.push(...atMost(`stages.${name}.topK`, topK, 'heads.queueSize', heads.queueSize));
  }
  return problems;
}

const otherStage = (name: 'heads' | 'refine') => (name === 'heads' ? 'refine' : 'heads');

function encoderProblems(config: RefinerConfig, encoder: VitOptions): string[] {
  const { patchSize, depth, classToken } = encoder;
  const problems: string[] = [];
  for (const { name, block } of listHeads(config)) {
    if (block !== 'last' && block >= depth)
      problems.push(`heads.on: expected blocks 0 to ${depth - 1} of this encoder, received ${block} (head ${name})`);
  }
  const onClass = listHeads(config).filter(({ pool }) => pool === 'class');
  if (!classToken && onClass.length > 0)
    problems.push(
      `heads.pool: expected patches, as this encoder has no class token, received class (${onClass.map(({ name }) => name).join(', ')})`,
    );
  const sizes = config.data.localViews > 0 ? (['imageSize', 'localSize'] as const) : (['imageSize'] as const);
  for (const key of sizes)
    problems.push(...multipleOfPatch(`data.${key}`, config.data[key], 'the encoder’s patch size', patchSize));
  if (encoder.positions.kind === 'relative') {
    const side = encoder.positions.rows * patchSize;
    const only = 'the only size that this encoder takes';
    if (config.data.imageSize !== side)
      problems.push(`data.imageSize: expected ${side}, ${only}, received ${config.data.imageSize}`);
    if (config.data.localViews > 0 && config.data.localSize !== side)
      problems.push(`data.localViews: expected 0, or data.localSize ${side}, ${only}`);
  }
  const { freezeBlocks } = config.stages.refine;
  if (freezeBlocks > depth)
    problems.push(
      `stages.refine.freezeBlocks: expected at most the encoder’s ${depth} blocks, received ${freezeBlocks}`,
    );
  return problems;
}
