import { z } from 'zod';

const count = z.int().positive();

const positionOptions = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('table').describe('A vector for every patch of a grid is added; other grids resize it.'),
    rows: count,
    columns: count,
    learned: z.boolean().default(false).describe('Trained; otherwise it starts as MAE’s sines and cosines and stays.'),
    antialias: z.boolean().default(false).describe('Resizing to a smaller grid averages (Pillow’s bicubic kernel).'),
    offset: z
      .number()
      .nonnegative()
      .default(0)
      .describe('Resizing takes the new grid to be so much larger than it is: 0.1 in DINO and its successors.'),
  }),
  z.strictObject({
    kind: z
      .literal('computed')
      .describe('As `table`, with sines and cosines computed for the grid of the image (AIM).'),
  }),
  z.strictObject({
    kind: z.literal('relative').describe('Attention adds a learned number for the offset of two patches (BEiT).'),
    rows: count,
    columns: count,
  }),
  z.strictObject({
    kind: z.literal('rope').describe('Attention turns queries and keys by angles from their places (CAPI).'),
    maxFrequency: z.number().positive().default(7),
    minFrequency: z.number().positive().default(7e-4),
    registerCoordinates: z.enum(['edge', 'zeros']).default('edge').describe('Where registers are.'),
    scaleRegistersToVisible: z.boolean().default(true).describe('Registers surround the visible patches.'),
  }),
]);

/**
 * Everything that makes one vision transformer differ from another. The defaults are those of a plain one (timm, MAE):
 * with sizes and `positions: {kind: 'table', …}` alone it is MAE's encoder. Checkpoints keep it as the description of kind
 * `vit`.
 */
export const vitOptionsSchema = z
  .strictObject({
    patchSize: count.describe('Side of a patch in pixels.'),
    width: count.describe('Channels of a token.'),
    depth: count.describe('Number of blocks.'),
    heads: count.describe('Attention heads; a divisor of the width.'),
    positions: positionOptions,
    classToken: z.boolean().default(true).describe('A trained token before all others; it has no position.'),
    registers: z
      .int()
      .nonnegative()
      .optional()
      .describe(
        'Trained tokens between class token and patches. Absent: none; 0 keeps an empty parameter, as CAPI does.',
      ),
    norm: z
      .strictObject({ kind: z.enum(['layer', 'rms']), eps: z.number().positive() })
      .default({ kind: 'layer', eps: 1e-6 }),
    placement: z
      .enum(['pre', 'post'])
      .default('pre')
      .describe('Branches normalise what they get (pre), or the sum that they add to (post).'),
    patchNorm: z
      .boolean()
      .default(false)
      .describe('A norm after the patch embedding, before positions are added (AIM).'),
    embedNorm: z.boolean().default(false).describe('A norm of all tokens before the first block (data2vec 2.0).'),
    finalNorm: z
      .enum(['affine', 'plain', 'none'])
      .default('affine')
      .describe('The norm of the result: with weights, without (CAPI), or none.'),
    outputBlock: z
      .int()
      .nonnegative()
      .optional()
      .describe('The result is this block’s raw output instead of the last one’s, normalised (AIM).'),
    qkvBias: z
      .enum(['none', 'query-value', 'all'])
      .default('all')
      .describe('Which of the maps to queries, keys and values have biases.'),
    biases: z.boolean().default(true).describe('Whether the other linear layers of the blocks have biases.'),
    activation: z.enum(['gelu', 'swiglu']).default('gelu').describe('Of the MLPs.'),
    mlpWidth: count.optional().describe('Channels inside the MLPs; four times the width by default.'),
    layerScale: z
      .number()
      .optional()
      .describe('Where given, channels of every branch have trained factors, which start at this value.'),
    dropPath: z
      .strictObject({
        rate: z.number().min(0).lt(1),
        kind: z.enum(['efficient', 'naive', 'refiner']),
        ramp: z
          .boolean()
          .default(false)
          .describe('The rate grows evenly from 0 at the first block to `rate` at the last.'),
      })
      .default({ rate: 0, kind: 'efficient', ramp: false }),
  })
  .superRefine(({ width, heads, depth, positions, outputBlock }, context) => {
    const problem = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    const multiple = positions.kind === 'rope' ? 4 * heads : heads;
    if (width % multiple !== 0) problem('width', `expected a multiple of ${multiple}, received ${width}`);
    const waves = positions.kind === 'computed' || (positions.kind === 'table' && !positions.learned);
    if (waves && width % 4 !== 0) problem('width', `expected a multiple of 4 for sines and cosines, received ${width}`);
    if (outputBlock !== undefined && outputBlock >= depth)
      problem('outputBlock', `expected a block below the depth ${depth}, received ${outputBlock}`);
  });

export type VitOptions = z.output<typeof vitOptionsSchema>;
/** The same with defaults left out. */
export type VitInput = z.input<typeof vitOptionsSchema>;

/** Options with the defaults filled in, for sizes that are known to fit. */
export function vitOptions(given: VitInput): VitOptions {
  return vitOptionsSchema.parse(given);
}
