import { basename, join, resolve } from 'node:path';
import { refreshReport } from '../../report/refresh-report.js';
import { readMetrics } from '../../runs/event-log.js';
import { RunFolder } from '../../runs/run-folder.js';
import { byteText } from '../../support/byte-text.js';
import { UsageError } from '../../support/errors.js';
import { type CommandResult, cardText } from '../output.js';
import { programName } from '../program-name.js';
import { writeFile } from './write-picture.js';

/** The checked options of `tessera visualise curves`. */
export type VisualiseCurvesOptions = {
  readonly runs: readonly string[];
  /** Ends in .svg or .png; `images/curves.svg` of the run unless given. */
  readonly out: string | undefined;
};

/** `tessera visualise curves`: JSON with `out`, `runs`, the names of the `metrics`, and the `report` of the first run. */
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
  writeFile(out, content);
  const metrics = panels.map(({ title }) => title);
  const report = refreshReport(folders[0]!, programName());
  return {
    card: cardText(out, [
      ['curves', metrics.join(', ')],
      ['size', byteText(Buffer.byteLength(content))],
      ['report', report],
    ]),
    json: { out: resolve(out), runs: folders.map(({ path }) => path), metrics, report },
  };
}

/** The name of the folder; with its parent where two runs have the same. */
function shownName(run: RunFolder, all: readonly RunFolder[]): string {
  const twins = all.filter(({ name }) => name === run.name);
  return twins.length > 1 ? `${basename(join(run.path, '..'))}/${run.name}` : run.name;
}
