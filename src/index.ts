/**
 * The public surface of Tessera. Everything else may change without notice.
 * @module
 */
export { openDataset } from './data/spec.js';
export { type ClassSeparation, classSeparation } from './evals/cluster/class-separation.js';
export { type ClusterAgreement, clusterAgreement } from './evals/cluster/cluster-agreement.js';
export { type KMeansOptions, type KMeansResult, kMeans } from './evals/cluster/k-means.js';
export { type EvaluateOptions, type EvaluationResult, evaluate } from './evals/evaluate.js';
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
