// S samples · D width · K atoms
import * as ops from '../tensor/ops.generated.js';
import { noGrad, scope, Tensor } from '../tensor/tensor.js';

/** What a dictionary is to be like. */
export interface DictionaryOptions {
  /** Number of atoms K, at most D. */
  readonly atoms: number;
  /** How much a code costs: larger values make codes sparser. Published: 1. */
  readonly alpha: number;
  /** Rounds at most (1000), and the share of the cost that a round has to save (1e-8). */
  readonly maxIterations?: number | undefined;
  readonly tolerance?: number | undefined;
}

/** Codes (S, K) by which atoms add up to the samples; their signs mean nothing. */
export interface DictionaryCodes {
  readonly codes: Float64Array;
  /** ½·|samples - codes·atoms|² + alpha·|codes|₁. */
  readonly cost: number;
  readonly iterations: number;
}

/**
 * Sparse codes of features, with a dictionary learned from them: codes and atoms of length 1 at most are improved in turn,
 * from the strongest singular vectors on. Follows scikit-learn's `DictionaryLearning.fit_transform`, which CAPI's
 * eval_visualizations.py uses; but where an atom is not used, the sample that is explained worst takes its place instead
 * of a random one, so that equal input gives equal codes.
 *
 * @param features_SD any float dtype; not changed
 */
export function learnDictionary(features_SD: Tensor, options: DictionaryOptions): DictionaryCodes {
  const { alpha, maxIterations = 1000, tolerance = 1e-8 } = options;
  return scope(() =>
    noGrad(() => {
      const samples_SD = ops.toDevice(features_SD, 'cpu', 'float64');
      const atoms = Math.min(options.atoms, features_SD.size(1));
      let dictionary = firstAtoms(samples_SD, atoms);
      const codes = new Float64Array(features_SD.size(0) * atoms);
      let before = Number.POSITIVE_INFINITY;
      for (let iteration = 1; ; iteration++) {
        const round = scope(() => improve(samples_SD, dictionary, codes, alpha));
        dictionary.dispose();
        dictionary = round.dictionary;
        if (iteration === maxIterations || before - round.cost < tolerance * round.cost) {
          return { codes, cost: round.cost, iterations: iteration };
        }
        before = round.cost;
      }
    }),
  );
}

/** The strongest right singular vectors times their singular values, as scikit-learn starts. */
function firstAtoms(samples_SD: Tensor, atoms: number): Tensor {
  return scope(() => {
    const [squares_D, vectors_DD] = ops.eigh(ops.matmul(ops.transpose(samples_SD, 0, 1), samples_SD));
    const width = vectors_DD.size(0);
    const strongest_KD = ops.transpose(ops.flip(ops.narrow(vectors_DD, 1, width - atoms, atoms), [1]), 0, 1);
    const values = squares_D.numbers().slice(-atoms).reverse();
    const scale_K1 = Tensor.from(
      Float64Array.from(values, (square) => Math.sqrt(Math.max(0, square))),
      [atoms, 1],
    );
    return ops.mul(strongest_KD, scale_K1);
  });
}

/** One round: the best codes for the dictionary, then a better dictionary for the codes. Changes `codes`. */
function improve(samples_SD: Tensor, dictionary_KD: Tensor, codes: Float64Array, alpha: number) {
  const atoms = dictionary_KD.size(0);
  const gram = matrix(ops.matmul(dictionary_KD, ops.transpose(dictionary_KD, 0, 1)));
  const products = matrix(ops.matmul(samples_SD, ops.transpose(dictionary_KD, 0, 1)));
  for (let row = 0; row < codes.length; row += atoms) {
    encode(codes.subarray(row, row + atoms), products.subarray(row, row + atoms), gram, alpha);
  }
  const codes_SK = Tensor.from(codes, [codes.length / atoms, atoms]);
  const dictionary = betterAtoms(samples_SD, dictionary_KD, codes, codes_SK);
  const rest_SD = ops.sub(samples_SD, ops.matmul(codes_SK, dictionary));
  const size = codes.reduce((sum, code) => sum + Math.abs(code), 0);
  return { dictionary, cost: 0.5 * ops.sum(ops.mul(rest_SD, rest_SD)).item() + alpha * size };
}

/** Least change of a code, as a share of the largest one, that is still worth another pass. */
const CODE_PRECISION = 1e-10;
const MAX_PASSES = 1000;

/**
 * The codes that minimise ½·|sample - codes·atoms|² + alpha·|codes|₁ for one sample, coordinate by coordinate.
 *
 * @param code is where to start, and becomes the result
 * @param product sample times each atom @param gram atoms times atoms
 */
function encode(code: Float64Array, product: Float64Array, gram: Float64Array, alpha: number): void {
  const atoms = code.length;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    let [change, largest] = [0, 0];
    for (let k = 0; k < atoms; k++) {
      const square = gram[k * atoms + k]!;
      if (square === 0) continue;
      let pull = product[k]! + square * code[k]!;
      for (let j = 0; j < atoms; j++) pull -= gram[k * atoms + j]! * code[j]!;
      const next = (Math.sign(pull) * Math.max(0, Math.abs(pull) - alpha)) / square;
      change = Math.max(change, Math.abs(next - code[k]!));
      largest = Math.max(largest, Math.abs(next));
      code[k] = next;
    }
    if (change <= CODE_PRECISION * largest) return;
  }
}

/** Atom by atom the best one for the codes, shortened to length 1 where it is longer. Codes of unused atoms become 0. */
function betterAtoms(samples_SD: Tensor, dictionary_KD: Tensor, codes: Float64Array, codes_SK: Tensor): Tensor {
  const [atoms, width] = dictionary_KD.shape as [number, number];
  const codes_KS = ops.transpose(codes_SK, 0, 1);
  const overlaps = matrix(ops.matmul(codes_KS, codes_SK));
  const targets = matrix(ops.matmul(codes_KS, samples_SD));
  const result = matrix(dictionary_KD);
  for (let k = 0; k < atoms; k++) {
    const atom = result.subarray(k * width, (k + 1) * width);
    const used = overlaps[k * atoms + k]!;
    // 1e-6 as in scikit-learn and SPAMS.
    if (used > 1e-6) {
      for (let d = 0; d < width; d++) {
        let pull = targets[k * width + d]!;
        for (let j = 0; j < atoms; j++) pull -= overlaps[k * atoms + j]! * result[j * width + d]!;
        atom[d]! += pull / used;
      }
    } else {
      atom.set(worstExplained(samples_SD, Tensor.from(result, [atoms, width]), codes_SK));
      for (let row = k; row < codes.length; row += atoms) codes[row] = 0;
    }
    const length = Math.max(1, Math.sqrt(atom.reduce((sum, value) => sum + value ** 2, 0)));
    for (let d = 0; d < width; d++) atom[d]! /= length;
  }
  return Tensor.from(result, [atoms, width]);
}

function worstExplained(samples_SD: Tensor, dictionary_KD: Tensor, codes_SK: Tensor): Float64Array {
  const rest_SD = ops.sub(samples_SD, ops.matmul(codes_SK, dictionary_KD));
  const worst = ops.argmax(ops.norm(rest_SD, 2, [1])).item();
  return matrix(ops.select(samples_SD, 0, worst));
}

function matrix(tensor: Tensor): Float64Array {
  return ops.contiguous(tensor).data() as Float64Array;
}
