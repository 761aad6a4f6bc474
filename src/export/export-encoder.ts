import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { enlargedSide } from '../features/extraction-pass.js';
import type { ImageEncoder } from '../models/encoder.js';
import { EncoderPredictor } from '../models/encoder-predictor.js';
import { IMAGE_MEAN, IMAGE_STD } from '../models/patches.js';
import { VisionTransformer } from '../models/vit.js';
import { writeFileAtomic, writeFolderAtomic } from '../support/atomic-file.js';
import { ShapeError, UsageError } from '../support/errors.js';
import { encoderGraph } from './encoder-graph.js';
import { type OnnxPort, writeOnnx } from './onnx-model.js';

export interface ExportOptions {
  /** A file that ends in .onnx, or a folder for transformers.js. Must not exist. */
  readonly out: string;
  /** Side of images in pixels, a multiple of the patch size. */
  readonly size: number;
  /** Whether images of other sizes are taken too. */
  readonly dynamic: boolean;
}

export interface Exported {
  /** The ONNX file. */
  readonly file: string;
  readonly bytes: number;
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
}

/**
 * Writes an encoder as ONNX, in float32: see {@link encoderGraph} for inputs and outputs. A folder also gets what
 * transformers.js reads: `onnx/model.onnx`, `config.json` and `preprocessor_config.json`.
 * @throws {UsageError} the encoder is of a kind that has no graph, takes one size only where any is asked for, or is too large.
 * @throws {ShapeError} the size does not fit the encoder.
 * @throws {TesseraError} STORAGE: the disk is full or not writable.
 */
export async function exportEncoder(encoder: ImageEncoder, { out, size, dynamic }: ExportOptions): Promise<Exported> {
  const { imageSize, patchSize } = encoder;
  if (!(encoder instanceof EncoderPredictor || encoder instanceof VisionTransformer))
    throw new UsageError('Expected a vision transformer to export, received another kind of encoder.');
  if (size % patchSize !== 0) {
    const near = Math.max(1, Math.round(size / patchSize)) * patchSize;
    throw new ShapeError(`Expected a size that is a multiple of the patch size ${patchSize}, received ${size}.`, {
      hint: `Use ${near}.`,
    });
  }
  if (dynamic && imageSize !== undefined)
    throw new UsageError(
      `This encoder takes images of ${imageSize} pixels only: its relative positions cannot be resized.`,
      {
        hint: 'Export it without --dynamic.',
      },
    );
  const model = encoderGraph(encoder, dynamic ? undefined : { height: size, width: size });
  const { inputs, outputs } = model;
  if (out.toLowerCase().endsWith('.onnx')) return { file: out, bytes: writeOnnx(out, model), inputs, outputs };
  let bytes = 0;
  await writeFolderAtomic(out, (folder) => {
    mkdirSync(join(folder, 'onnx'));
    bytes = writeOnnx(join(folder, 'onnx', 'model.onnx'), model);
    writeJson(join(folder, 'config.json'), transformersConfig(encoder, size));
    writeJson(join(folder, 'preprocessor_config.json'), preprocessorConfig(size));
  });
  return { file: join(out, 'onnx', 'model.onnx'), bytes, inputs, outputs };
}

function writeJson(path: string, value: unknown): void {
  writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** Transformers.js picks its class by `model_type`: with this one it passes images in and all outputs out. */
function transformersConfig(encoder: EncoderPredictor | VisionTransformer, size: number) {
  const { options } = encoder instanceof EncoderPredictor ? encoder.encoder : encoder;
  const { width, depth, heads, mlpWidth = 4 * width, classToken, registers = 0 } = options;
  return {
    architectures: ['ViTModel'],
    model_type: 'vit',
    hidden_size: width,
    num_hidden_layers: depth,
    num_attention_heads: heads,
    intermediate_size: mlpWidth,
    image_size: size,
    patch_size: options.patchSize,
    num_channels: 3,
    use_class_token: classToken,
    num_register_tokens: registers,
    torch_dtype: 'float32',
    'transformers.js_config': { dtype: 'fp32' },
  };
}

/**
 * What `tessera eval` and `tessera features` do to images: a little larger than `size`, bicubic, then the square in the
 * middle. Source of the names: transformers.js image_processors_utils.js.
 */
function preprocessorConfig(size: number) {
  return {
    image_processor_type: 'BitImageProcessor',
    do_convert_rgb: true,
    do_resize: true,
    size: { shortest_edge: enlargedSide(size) },
    resample: BICUBIC,
    do_center_crop: true,
    crop_size: { height: size, width: size },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: IMAGE_MEAN,
    image_std: IMAGE_STD,
  };
}

/** Pillow's number. */
const BICUBIC = 3;
