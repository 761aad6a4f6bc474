// B batch · N tokens · A heads · F channels of a head
import { autocast } from '../tensor/autocast.js';
import * as ops from '../tensor/ops.generated.js';
import { scope, type Tensor } from '../tensor/tensor.js';
import { Module, Parameter } from './module.js';

export interface RopeOptions {
  /** Highest and lowest frequency, in turns over the image. Published: 7 and 7e-4. */
  readonly maxFrequency: number;
  readonly minFrequency: number;
}

/** Cosines and signed sines of the angles of every token, ready to rotate queries or keys. */
export interface RopeTable {
  readonly cos_BN1F: Tensor;
  readonly signedSin_BN1F: Tensor;
}

/**
 * Rotary position embedding over two axes, exactly as CAPI published it (model.py `Rope`, `rotate_half`): channel i is
 * paired with channel i + F/2, and the lower half takes its angle from the row while the upper half takes it from the
 * column. That is not a rotation unless row equals column; it is what the published weights were trained with.
 */
export class Rope extends Module {
  /** (2, F): the row's frequencies in the lower half of row 0, the column's in the upper half of row 1, times 2π. */
  readonly freqs: Parameter;

  /** @param channels of one head, a multiple of 4 */
  constructor(
    private readonly channels: number,
    options: RopeOptions,
  ) {
    super();
    this.freqs = Parameter.adopt(frequencies(channels, options));
  }

  /** Coordinates (B, N, 2) as row and column in [0, 1]; B may be 1 where all images share them. */
  table(coordinates_BN2: Tensor): RopeTable {
    return scope(() => {
      // Angles reach 44: in bfloat16 they would be off by a tenth.
      const turned = () => ops.matmul(coordinates_BN2, this.freqs);
      const angle_BN1F = ops.unsqueeze(autocast(coordinates_BN2.device, false, turned), 2);
      const sin_BN1F = ops.sin(angle_BN1F);
      const [lower, upper] = ops.chunk(sin_BN1F, 2, -1) as [Tensor, Tensor];
      return { cos_BN1F: ops.cos(angle_BN1F), signedSin_BN1F: ops.cat([ops.neg(lower), upper], -1) };
    });
  }

  /** x (B, N, A, F) turned by the table. */
  rotate(x_BNAF: Tensor, table: RopeTable): Tensor {
    return scope(() => {
      // Rolling by half the channels and signing the sines gives cat(-upper, lower)·sin without a negated copy.
      const swapped_BNAF = ops.roll(x_BNAF, [this.channels / 2], [-1]);
      return ops.addcmul(ops.mul(x_BNAF, table.cos_BN1F), swapped_BNAF, table.signedSin_BN1F);
    });
  }
}

/** Computed in float32 step by step as published: a power in higher precision differs by enough to be seen in features. */
function frequencies(channels: number, { maxFrequency, minFrequency }: RopeOptions): Tensor {
  return scope(() => {
    const exponents = ops.linspace(0, -1, channels / 4, 'float32');
    const quarter = ops.mul(ops.powOf(maxFrequency / minFrequency, exponents), maxFrequency);
    const half = ops.mul(ops.mul(ops.cat([quarter, quarter]), 2), Math.PI);
    const none = ops.zerosLike(half);
    return ops.stack([ops.cat([half, none]), ops.cat([none, half])]);
  });
}
