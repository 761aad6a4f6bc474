import { basename, join } from 'node:path';
import { readMetrics } from '../../runs/event-log.js';
import { RunFolder } from '../../runs/run-folder.js';
import { UsageError } from '../../support/errors.js';
import type { CommandResult } from '../output.js';
import { writePicture } from './write-picture.js';

/** The checked options of `tessera visualise curves`. */
export type VisualiseCurvesOptions = {
  readonly runs: readonly string[];
  /** Ends in .svg or .png; `images/curves.svg` of the run unless given. */
  readonly out: string | undefined;
};

/** `tessera visualise curves`: JSON with `out`, `runs` and the names of the `metrics`. */
export async function visualiseCurves(options: VisualiseCurvesOptions): Promise<CommandResult> {
  const { curvePanels } = await import('../../visualise/curve-panels.js');
  const { curveSheet } = await import('../../visualise/curve-sheet.js');
  const folders = options.runs.map((path) => RunFolder.open(path));
  const runs = folders.map((run) => ({ name: shownName(run, folders), metrics: readMetrics(run) }));
  const panels = curvePanels(runs);
  if (panels.length === 0) {
    throw new UsageError(`no metrics in ${options.runs.join(', ')}: nothing was logged yet`, {
      hint: 'Wait for the first steps; tessera runs show RUN tells how far a run is.',
    });
  }
  const out = options.out ?? join(folders[0]!.images, 'curves.svg');
  const svg = curveSheet(runs);
  const content = out.toLowerCase().endsWith('.svg')
    ? svg
    : (await import('../../visualise/rasterise-svg.js')).svgToPng(svg);
  const metrics = panels.map(({ title }) => title);
  return writePicture(out, content, [['curves', metrics.join(', ')]], {
    runs: folders.map(({ path }) => path),
    metrics,
  });
}

/** The name of the folder; with its parent where two runs have the same. */
function shownName(run: RunFolder, all: readonly RunFolder[]): string {
  const twins = all.filter(({ name }) => name === run.name);
  return twins.length > 1 ? `${basename(join(run.path, '..'))}/${run.name}` : run.name;
}
