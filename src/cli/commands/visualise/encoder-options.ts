import type { Command } from 'commander';
import { joinSpecs, OptionReader, type RawOptions } from '../../option-reader.js';

/** The options of every picture that needs an encoder. */
export type ModelPictureOptions = {
  readonly model: string;
  /** Ends in .png; in `images/` of the run unless given. */
  readonly out: string | undefined;
  readonly weights: 'student' | 'teacher';
  readonly size: number | undefined;
  readonly device: string | undefined;
  readonly threads: number | undefined;
};

/** Those of every picture of what an encoder makes of some images. */
export type EncoderPictureOptions = ModelPictureOptions & {
  readonly data: string;
  readonly count: number | undefined;
  readonly tile: number | undefined;
};

/** Adds the options of every picture that needs an encoder. `picture` is the name of the file in `images/`. */
export function addModelOptions(command: Command, picture: string): Command {
  return command
    .option('--model <m>', 'a run folder, a checkpoint file, or random:<preset> (untrained)')
    .option('--out <file>', `PNG file to write (default: images/${picture}.png in the run)`)
    .option('--weights <which>', 'encoder of a run: teacher (the averaged one, default) or student')
    .option('--size <n>', 'side of the images in pixels (default: as in training)')
    .option('--device <device>', 'cpu, cuda, cuda:<number> or mps')
    .option('--threads <n>', 'threads of the engine (default: all cores)');
}

/** Adds those of every picture of what an encoder makes of some images; `count` tells how many. */
export function addEncoderOptions(command: Command, picture: string, count: string): Command {
  return addModelOptions(command, picture)
    .option('--data <spec>', 'images', joinSpecs)
    .option('--count <n>', count)
    .option('--tile <n>', 'embed large images in overlapping tiles of this side (default: as a whole)');
}

/** Reads the options of every picture that needs an encoder, and with `further` others; all problems are reported at once. */
export function readModelOptions<T>(
  raw: RawOptions,
  command: string,
  further: (read: OptionReader) => T,
): ModelPictureOptions & T {
  const read = new OptionReader(raw);
  const options = {
    model: read.required('model', 'an encoder, for example --model runs/first'),
    ...further(read),
    out: read.text('out'),
    weights: read.choice('weights', ['teacher', 'student']) ?? 'teacher',
    size: read.integer('size'),
    device: read.device(),
    threads: read.integer('threads'),
  } as const;
  read.ending('out', options.out ?? '', ['.png']);
  read.done(command);
  return options;
}

/** The same for pictures of what an encoder makes of some images. */
export function readEncoderOptions<T>(
  raw: RawOptions,
  command: string,
  further: (read: OptionReader) => T,
): EncoderPictureOptions & T {
  return readModelOptions(raw, command, (read) => ({
    data: read.required('data', 'images, for example --data photos/'),
    count: read.integer('count'),
    tile: read.integer('tile'),
    ...further(read),
  }));
}
