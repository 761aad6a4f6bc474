import type { Command } from 'commander';
import { OptionReader, type RawOptions } from '../../option-reader.js';
import { defineAction } from '../../run-command.js';

/** `tessera visualise curves`. */
export function register(visualise: Command): void {
  const command = visualise
    .command('curves')
    .summary('losses and health of runs over their steps')
    .description('Draws the metrics of one run, or of several over each other. Needs no engine.')
    .option('--run <runs...>', 'one run folder or several')
    .option('--out <file>', 'SVG or PNG file to write (default: images/curves.svg in the first run)');
  const examples = [
    'visualise curves --run runs/first',
    'visualise curves --run runs/first runs/second --out both.png',
  ];
  defineAction(command, examples, async (raw: RawOptions) => {
    const read = new OptionReader(raw);
    const options = {
      runs: read.list('run', 'a run folder, for example --run runs/first'),
      out: read.text('out'),
    };
    read.ending('out', options.out ?? '', ['.svg', '.png']);
    read.done('visualise curves');
    const { visualiseCurves } = await import('../../actions/visualise-curves.js');
    return visualiseCurves(options);
  });
}
