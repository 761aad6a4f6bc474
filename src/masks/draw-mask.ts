import { ConfigError } from '../support/errors.js';
import { drawBlock } from './block.js';
import { drawInverseBlock } from './inverse-block.js';
import type { MaskKind, MaskOptions, MaskRandom } from './mask.js';
import { drawUniform } from './uniform.js';

const generators: Record<MaskKind, typeof drawBlock> = {
  'inverse-block': drawInverseBlock,
  block: drawBlock,
  uniform: drawUniform,
};

/**
 * One mask over a grid of patches.
 *
 * @param maskedCount number of masked patches, 0 to rows * columns
 * @returns rows x columns bytes, row-major, 1 = masked, exactly `maskedCount` ones
 * @throws ConfigError when the grid, the count or the aspect ratio is out of range
 */
export function drawMask(options: MaskOptions, maskedCount: number, random: MaskRandom): Uint8Array {
  const { rows, columns, minAspect = 0.5 } = options;
  const problems: string[] = [];
  for (const [name, side] of Object.entries({ rows, columns })) {
    if (!(Number.isInteger(side) && side > 0)) problems.push(`${name} must be a positive integer, got ${side}`);
  }
  if (!(Number.isInteger(maskedCount) && maskedCount >= 0 && maskedCount <= rows * columns)) {
    problems.push(`the masked count must be an integer from 0 to ${rows * columns}, got ${maskedCount}`);
  }
  if (!(minAspect > 0 && minAspect <= 1)) problems.push(`minAspect must be in (0, 1], got ${minAspect}`);
  if (problems.length > 0) throw new ConfigError(`A mask cannot be drawn: ${problems.join('; ')}.`);
  return generators[options.kind](options, maskedCount, random);
}
