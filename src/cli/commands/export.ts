import type { Command } from 'commander';
import { OptionReader, type RawOptions } from '../option-reader.js';
import { defineAction } from '../run-command.js';

/** `tessera export`. */
export function register(program: Command): void {
  const command = program
    .command('export')
    .summary('write an encoder as ONNX, for browsers and other programs')
    .description(
      'Writes an encoder as ONNX (operators of version 17, float32). OUT is a file that ends in .onnx, or a folder that ' +
        'transformers.js loads. Images are one size, or with --dynamic any size of whole patches.',
    )
    .option('--model <m>', 'a run folder, a checkpoint file, or random:<preset> (untrained)')
    .option('--out <out>', 'the .onnx file or the folder to write')
    .option('--weights <which>', 'encoder of a run: teacher (the averaged one, default) or student')
    .option('--size <n>', 'side of the images in pixels (default: as in training)')
    .option('--dynamic', 'take images of any size; positions are computed for each');
  defineAction(
    command,
    ['export --model runs/first --out first.onnx', 'export --model capi_vitl14_i22k.pth --out capi-onnx --dynamic'],
    async (raw: RawOptions) => {
      const read = new OptionReader(raw);
      const options = {
        model: read.required('model', 'an encoder, for example --model runs/first'),
        out: read.required('out', 'a file or folder, for example --out first.onnx'),
        weights: read.choice('weights', ['teacher', 'student']) ?? 'teacher',
        size: read.integer('size'),
        dynamic: read.flag('dynamic'),
      } as const;
      read.done('export');
      const { exportModel } = await import('../actions/export.js');
      return exportModel(options);
    },
  );
}
