import { existsSync } from 'node:fs';
import { exportEncoder } from '../../export/export-encoder.js';
import { byteText } from '../../support/byte-text.js';
import { UsageError } from '../../support/errors.js';
import { type CommandResult, cardText } from '../output.js';
import { openModel } from './open-model.js';

/** The checked options of `tessera export`. */
export type ExportCommandOptions = {
  readonly model: string;
  /** A file that ends in .onnx, or a folder. */
  readonly out: string;
  readonly weights: 'student' | 'teacher';
  readonly size: number | undefined;
  readonly dynamic: boolean;
};

/** `tessera export`: JSON with `out`, `file`, `bytes`, `size`, `dynamic` and `outputs` (shapes by name). */
export async function exportModel(options: ExportCommandOptions): Promise<CommandResult> {
  const { out, dynamic } = options;
  if (existsSync(out)) {
    throw new UsageError(`${out} exists already: expected a new name`, {
      hint: 'Give another name, or move it away first.',
    });
  }
  const { encoder, size: trained } = await openModel(options.model, { weights: options.weights, device: 'cpu' });
  const size = options.size ?? trained;
  try {
    const { file, bytes, outputs } = await exportEncoder(encoder, { out, size, dynamic });
    const card = cardText(`${options.model} as ONNX`, [
      ['written', `${file} (${byteText(bytes)})`],
      ['images', dynamic ? `any size of whole patches of ${encoder.patchSize} pixels` : `${size} x ${size} pixels`],
      ['outputs', outputs.map(({ name, shape }) => `${name} (${shape.join(', ')})`).join('\n')],
    ]);
    const shapes = Object.fromEntries(outputs.map(({ name, shape }) => [name, shape]));
    return { card, json: { out, file, bytes, size, dynamic, outputs: shapes } };
  } finally {
    encoder.dispose();
  }
}
