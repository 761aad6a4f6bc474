import type { BlockKind } from '../../features/parts.js';
import type { DataRole, EvaluationContext, FeatureRequest } from '../task.js';

/** What is extracted of all blocks together, at the first request. */
export interface BlockExtraction {
  readonly blocks: readonly number[];
  readonly kinds: readonly BlockKind[];
  readonly pixels: boolean;
}

/** The context of a task that is to judge one block as if its output, before any norm, were the encoder's. */
export function blockContext(
  context: EvaluationContext,
  extraction: BlockExtraction,
  block: number,
): EvaluationContext {
  const { blocks, kinds, pixels } = extraction;
  const features = async (role: DataRole, { view }: FeatureRequest) => {
    const found = await context.features(role, { view, kinds: [], blocks: { of: blocks, kinds }, pixels });
    return { ...found, ...found.blocks.get(block)! };
  };
  return { ...context, features };
}
