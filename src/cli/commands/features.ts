import type { Command } from 'commander';
import { joinSpecs, OptionReader, type RawOptions } from '../option-reader.js';
import { defineAction } from '../run-command.js';

/** `tessera features`. */
export function register(program: Command): void {
  const command = program
    .command('features')
    .summary('extract frozen features of images into one file')
    .description(
      'Extracts one frozen feature vector an image into one file; its ending says which kind. Parquet files hold names ' +
        'and classes as well; beside the others they are written as FILE.tsv.',
    )
    .option('--model <m>', 'a run folder, a checkpoint file, or random:<preset> (untrained)')
    .option('--data <spec>', 'images', joinSpecs)
    .option('--out <file>', 'file to write: .safetensors, .npy or .parquet')
    .option('--weights <which>', 'encoder of a run: teacher (the averaged one, default) or student')
    .option('--pooling <which>', 'mean of the patches (patches, default) or the global vector (global)')
    .option('--size <n>', 'side of the images in pixels (default: as in training)')
    .option('--device <device>', 'cpu, cuda, cuda:<number> or mps')
    .option('--threads <n>', 'threads of the engine (default: all cores)')
    .option('--workers <n>', 'threads that decode images (default: one a core, at most 8)');
  defineAction(
    command,
    [
      'features --model runs/first --data photos/ --out photos.safetensors',
      'features --model runs/first --data photos/ --out photos.npy --size 224',
    ],
    async (raw: RawOptions) => {
      const read = new OptionReader(raw);
      const options = {
        model: read.required('model', 'an encoder, for example --model runs/first'),
        data: read.required('data', 'images, for example --data photos/'),
        out: read.required('out', 'a file, for example --out photos.safetensors'),
        weights: read.choice('weights', ['teacher', 'student']) ?? 'teacher',
        pooling: read.choice('pooling', ['patches', 'global']) ?? 'patches',
        size: read.integer('size'),
        device: read.device(),
        threads: read.integer('threads'),
        workers: read.integer('workers'),
      } as const;
      read.ending('out', options.out, ['.safetensors', '.npy', '.parquet']);
      read.done('features');
      const { extractFeatures } = await import('../actions/features.js');
      return extractFeatures(options);
    },
  );
}
