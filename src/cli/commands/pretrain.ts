import type { Command } from 'commander';
import { joinSpecs, OptionReader, type RawOptions } from '../option-reader.js';
import { defineAction } from '../run-command.js';

/** `tessera pretrain`. */
export function register(program: Command): void {
  const command = program
    .command('pretrain')
    .summary('pre-train an encoder from images without labels')
    .description('Pre-trains an encoder from images without labels, as a recipe says. Ctrl+C saves, then stops.')
    .argument('<recipe>', 'name of a recipe that comes with Tessera, or path of a YAML file')
    .argument('[overrides...]', 'values that replace those of the recipe: key.path=value')
    .option(
      '--data <spec>',
      'images: a folder, scenes://, tar://, parquet://, list:// …; several with commas, or --data again',
      joinSpecs,
    )
    .option('--out <run>', 'folder of the run; must not exist unless --resume')
    .option('--from <weights>', 'start from the weights of a run folder or a checkpoint file')
    .option('--device <device>', 'cpu, cuda, cuda:<number> or mps')
    .option('--threads <n>', 'threads of the engine (default: all cores)')
    .option('--workers <n>', 'threads that decode images')
    .option('--seed <n>', 'seed of every random choice')
    .option('--resume', 'go on with the run in --out from its last checkpoint')
    .option('--max-steps <n>', 'stop after this many steps, counted from the beginning of the run')
    .option('--dry-run', 'check recipe and data, show the resolved configuration, write nothing');
  defineAction(
    command,
    [
      'pretrain capi-tiny-cpu --data photos/ --out runs/first',
      'pretrain capi-tiny-cpu optim.lr=1e-3 --data photos/ --out runs/faster --max-steps 2000',
      'pretrain capi-tiny-cpu --data photos/ --out runs/first --resume',
      "pretrain my.yaml --data 'scenes://?split=train&count=4096&size=96' --out runs/try --dry-run",
    ],
    async (recipe: string, overrides: string[], raw: RawOptions) => {
      const read = new OptionReader(raw);
      const options = {
        recipe,
        overrides,
        data: read.required('data', 'images, for example --data photos/'),
        out: read.required('out', 'the folder of the run, for example --out runs/first'),
        from: read.text('from'),
        device: read.device(),
        threads: read.integer('threads'),
        workers: read.integer('workers'),
        seed: read.integer('seed', 0),
        resume: read.flag('resume'),
        maxSteps: read.integer('maxSteps'),
        dryRun: read.flag('dryRun'),
      };
      read.done('pretrain');
      const { pretrain } = await import('../actions/pretrain.js');
      return pretrain(options);
    },
  );
}
