import type { Command } from 'commander';
import { joinSpecs, type OptionReader } from '../option-reader.js';

/** Adds the arguments and options that every command that trains has, but for `--from`. */
export function addTrainingOptions(command: Command): Command {
  command
    .argument('<recipe>', 'name of a recipe that comes with Tessera, or path of a YAML file')
    .argument('[overrides...]', 'values that replace those of the recipe: key.path=value')
    .option(
      '--data <spec>',
      'images: a folder, scenes://, tar://, parquet://, list:// …; several with commas, or --data again',
      joinSpecs,
    );
  return addRunOptions(command);
}

/** Adds the options that have nothing to do with what is trained on. */
export function addRunOptions(command: Command): Command {
  return command
    .option('--out <run>', 'folder of the run; must not exist unless --resume')
    .option('--device <device>', 'cpu, cuda, cuda:<number> or mps')
    .option('--threads <n>', 'threads of the engine (default: all cores)')
    .option('--workers <n>', 'threads that decode images')
    .option('--seed <n>', 'seed of every random choice')
    .option('--resume', 'go on with the run in --out from its last checkpoint')
    .option('--max-steps <n>', 'stop after this many steps, counted from the beginning of the run')
    .option('--dry-run', 'check recipe and data, show the resolved configuration, write nothing');
}

/** What {@link addTrainingOptions} added, checked. */
export function readTrainingOptions(read: OptionReader) {
  return {
    data: read.required('data', 'images, for example --data photos/'),
    from: read.text('from'),
    ...readRunOptions(read),
  };
}

/** What {@link addRunOptions} added, checked. */
export function readRunOptions(read: OptionReader) {
  return {
    out: read.required('out', 'the folder of the run, for example --out runs/first'),
    device: read.device(),
    threads: read.integer('threads'),
    workers: read.integer('workers'),
    seed: read.integer('seed', 0),
    resume: read.flag('resume'),
    maxSteps: read.integer('maxSteps'),
    dryRun: read.flag('dryRun'),
  };
}
