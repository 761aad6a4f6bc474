import { expect } from 'vitest';
import type { CapiNetwork } from '../../src/methods/capi/capi-network.js';
import type { StudentHead } from '../../src/methods/capi/student-head.js';
import { EncoderPredictor } from '../../src/models/encoder-predictor.js';

/** The parts of a network of CAPI as published. */
export function publishedParts({ backbone, head }: CapiNetwork): { backbone: EncoderPredictor; head: StudentHead } {
  expect(backbone).toBeInstanceOf(EncoderPredictor);
  return { backbone: backbone as EncoderPredictor, head: head! };
}
