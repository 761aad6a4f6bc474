/**
 * The public surface of Tessera. Everything else may change without notice.
 * @module
 */
export { openDataset } from './data/spec.js';
export { type ClassSeparation, classSeparation } from './evals/class-separation.js';
export { type ClusterAgreement, clusterAgreement } from './evals/cluster-agreement.js';
export { evaluate } from './evals/evaluate.js';
export type { EvaluateOptions, EvaluationResult } from './evals/evaluation.js';
export { type KMeansOptions, type KMeansResult, kMeans } from './evals/k-means.js';
export {
  type EmbedOptions,
  type ImageFeatures,
  type ImageInput,
  loadEncoder,
  VisionEncoder,
} from './library/vision-encoder.js';
export type { Embedding, ImageEncoder } from './models/encoder.js';
export { loadEncoder as loadImageEncoder } from './models/load-encoder.js';
export { defineRecipe, type Recipe } from './recipes/define-recipe.js';
export { type PretrainOptions, pretrain } from './recipes/pretrain.js';
export {
  CheckpointError,
  ConfigError,
  DataError,
  DisposedError,
  EngineError,
  ShapeError,
  TesseraError,
  TrainingError,
  UsageError,
} from './support/errors.js';
export type { TrainOutcome } from './train/train-loop.js';
