import type { Command } from 'commander';
import type { Task } from '../../evals/task.js';
import { tasks } from '../../evals/tasks.js';
import { suggestion } from '../../support/nearest-name.js';
import type { EvalOptions } from '../actions/eval.js';
import { joinSpecs, OptionReader, type RawOptions } from '../option-reader.js';
import { defineAction } from '../run-command.js';
import { addSchemaOptions, readSchemaOptions } from '../schema-options.js';

/** Adds `tessera eval <task>` for every task, with the options that its definition names. */
export function registerTasks(command: Command): void {
  for (const task of tasks) registerTask(command, task);
}

function registerTask(parent: Command, task: Task): void {
  const command = parent.command(task.name).summary(task.summary).description(task.description);
  command
    .optionsGroup('Data:')
    .option(
      '--model <m>',
      'a run folder, a weights file, random:<preset> (untrained) or baseline:colour; several with commas, or --model again',
      joinSpecs,
    );
  for (const [role, { help }] of Object.entries(task.data)) command.option(`--${role} <spec>`, help, joinSpecs);
  command.optionsGroup(`Options of ${task.name}:`);
  addSchemaOptions(command, task.options);
  command
    .optionsGroup('Options of every task:')
    .option('--weights <which>', 'encoder of a run: teacher (the averaged one, default) or student')
    .option('--with-floor', 'judge the untrained encoder as well')
    .option('--size <n>', 'side of the images in pixels (default: as in training)')
    .option('--seed <n>', 'seed of samples, splits and intervals (0)')
    .option('--out <folder>', 'write the result as JSON there')
    .option('--device <device>', 'cpu, cuda, cuda:<number> or mps')
    .option('--threads <n>', 'threads of the engine (default: all cores)')
    .option('--workers <n>', 'threads that decode images (default: one a core, at most 8)')
    .option(
      '--cache <folder>',
      "where features are kept for further evaluations (default: features in the user's cache folder)",
    )
    .option('--no-cache', 'keep no features on the disk, and use none of those that are there')
    .option('--cache-limit <gb>', 'gigabytes of features that are kept; the longest unused give way (20)')
    // Such arguments are reported with all other problems.
    .allowUnknownOption()
    .allowExcessArguments();
  const examples = task.examples.map((example) => `eval ${task.name} ${example}`);
  defineAction(command, examples, async (raw: RawOptions) => {
    const options = readOptions(command, task, raw);
    const { evaluateModels } = await import('../actions/eval.js');
    return evaluateModels(options);
  });
}

function readOptions(command: Command, task: Task, raw: RawOptions): EvalOptions {
  const read = new OptionReader(raw);
  const options: EvalOptions = {
    task: task.name as EvalOptions['task'],
    models: read.required('model', 'an encoder, for example --model runs/first').split(','),
    data: Object.fromEntries(Object.entries(task.data).map(([role, { help }]) => [role, read.required(role, help)])),
    weights: read.choice('weights', ['teacher', 'student']) ?? 'teacher',
    withFloor: read.flag('withFloor'),
    size: read.integer('size'),
    seed: read.integer('seed', 0),
    out: read.text('out'),
    device: read.device(),
    threads: read.integer('threads'),
    workers: read.integer('workers'),
    cache: raw.cache !== false,
    cacheFolder: read.text('cache'),
    cacheLimit: read.integer('cacheLimit'),
    own: readSchemaOptions(read, raw, task.options),
  };
  for (const problem of foreignArguments(command, task)) read.wrong(problem);
  read.done(`eval ${task.name}`);
  return options;
}

/** Arguments that the task does not take: options of other tasks by name, others with the nearest own option. */
function foreignArguments(command: Command, task: Task): string[] {
  const own = command.options.map((option) => option.long ?? '');
  const flags = command.args.filter((text) => text.startsWith('-'));
  // What follows an unknown option may be its value.
  if (flags.length === 0) return command.args.map((text) => `unexpected argument ${text}`);
  return flags.map((text) => {
    const flag = text.split('=')[0]!;
    const others = siblings(command).filter(({ options }) => options.some(({ long }) => long === flag));
    if (others.length > 0) {
      return `${flag} is not an option of ${task.name}, but of ${others.map((other) => other.name()).join(', ')}`;
    }
    return `unknown option ${flag}${suggestion(flag, own)}`;
  });
}

function siblings(command: Command): readonly Command[] {
  return command.parent?.commands.filter((other) => other !== command) ?? [];
}
