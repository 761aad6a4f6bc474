import type { Command } from 'commander';
import { joinSpecs, OptionReader, type RawOptions } from '../../option-reader.js';

/** The options of every picture that needs an encoder. */
export type EncoderPictureOptions = {
  readonly model: string;
  readonly data: string;
  /** Ends in .png; in `images/` of the run unless given. */
  readonly out: string | undefined;
  readonly count: number | undefined;
  readonly weights: 'student' | 'teacher';
  readonly size: number | undefined;
  readonly tile: number | undefined;
  readonly device: string | undefined;
  readonly threads: number | undefined;
};

/** Adds them to a command. `picture` is the name of the file in `images/`. */
export function addEncoderOptions(command: Command, picture: string, count: string): Command {
  return command
    .option('--model <m>', 'a run folder, a checkpoint file, or random:<preset> (untrained)')
    .option('--data <spec>', 'images', joinSpecs)
    .option('--out <file>', `PNG file to write (default: images/${picture}.png in the run)`)
    .option('--count <n>', count)
    .option('--weights <which>', 'encoder of a run: teacher (the averaged one, default) or student')
    .option('--size <n>', 'side of the images in pixels (default: as in training)')
    .option('--tile <n>', 'embed large images in overlapping tiles of this side (default: as a whole)')
    .option('--device <device>', 'cpu, cuda, cuda:<number> or mps')
    .option('--threads <n>', 'threads of the engine (default: all cores)');
}

/** Reads them, and with `further` those of the command; all problems are reported at once. */
export function readEncoderOptions<T>(
  raw: RawOptions,
  command: string,
  further: (read: OptionReader) => T,
): EncoderPictureOptions & T {
  const read = new OptionReader(raw);
  const options = {
    model: read.required('model', 'an encoder, for example --model runs/first'),
    data: read.required('data', 'images, for example --data photos/'),
    out: read.text('out'),
    count: read.integer('count'),
    weights: read.choice('weights', ['teacher', 'student']) ?? 'teacher',
    size: read.integer('size'),
    tile: read.integer('tile'),
    device: read.device(),
    threads: read.integer('threads'),
    ...further(read),
  } as const;
  read.ending('out', options.out ?? '', ['.png']);
  read.done(command);
  return options;
}
