import { extname } from 'node:path';
import type { Command } from 'commander';
import { OptionReader, type RawOptions } from '../option-reader.js';
import { defineAction } from '../run-command.js';

/** `tessera convert`. */
export function register(program: Command): void {
  const command = program
    .command('convert')
    .summary('convert weights between PyTorch files and safetensors')
    .description(
      'Converts published or own weights between PyTorch files (.pth, .pt, .th) and .safetensors. The ending of OUT ' +
        'says which; names and shapes are those of the published code, which then reads the file. Without an ending, OUT ' +
        'becomes a run folder (CAPI encoders).',
    )
    .argument('<in>', 'a run or checkpoint folder, or a .pth, .pt, .th or .safetensors file')
    .argument('<out>', 'the file or run folder to write')
    .option('--weights <which>', 'encoder of a run: teacher (the averaged one, default) or student')
    .option(
      '--layout <family>',
      'published layout: capi, or for other vision transformers refined, mae, timm, dino, …',
    );
  defineAction(
    command,
    [
      'convert capi_vitl14_i22k.pth capi.safetensors',
      'convert runs/first first.pth --weights student',
      'convert runs/refined refined.pth --layout mae',
    ],
    async (input: string, output: string, raw: RawOptions) => {
      const read = new OptionReader(raw);
      const weights = read.choice('weights', ['teacher', 'student']) ?? 'teacher';
      const layout = read.text('layout');
      if (extname(output) !== '') read.ending('OUT', output, ['.safetensors', '.pth', '.pt', '.th']);
      read.done('convert');
      const { convert } = await import('../actions/convert.js');
      return convert({ input, output, weights, layout });
    },
  );
}
