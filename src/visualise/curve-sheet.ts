import { type CurvePanel, curvePanels, type RunMetrics } from './curve-panels.js';
import { curveStyle, drawPanel, panelDescription, panelSize, runColourCount, xRange } from './draw-panel.js';
import { fontFamily } from './rasterise-svg.js';
import { escapeXml } from './svg-text.js';

/** Colours on white that stay apart for colour-blind readers, and in grey print by their dashes. */
const colours: Readonly<Record<string, string>> = {
  ink: '#1c2330',
  muted: '#5b6473',
  grid: '#e6e9ee',
  'run-0': '#2456d6',
  'run-1': '#d4500c',
  'run-2': '#0b8a6a',
  'run-3': '#a11d8a',
  'run-4': '#8a6a00',
  'run-5': '#0a86ad',
};

const columns = 3;
const margin = 20;

/**
 * The metrics of one run, or of several over each other, as one SVG: a small diagram for each metric, and the names of the
 * runs above. Needs no engine.
 */
export function curveSheet(runs: readonly RunMetrics[]): string {
  const names = runs.map(({ name }) => name);
  return panelSheet(curvePanels(runs), names, 'Training curves', 'No metrics were logged yet.');
}

/** Diagrams of what belongs to several names, their lines' `run`s, as one SVG. */
export function panelSheet(panels: readonly CurvePanel[], names: readonly string[], label: string, none = ''): string {
  const steps = stepRange(panels);
  const legend = legendRows(names);
  const top = margin + legend.height;
  const rows = Math.max(1, Math.ceil(panels.length / columns));
  const width = 2 * margin + Math.min(columns, Math.max(1, panels.length)) * panelSize.width;
  const height = top + rows * panelSize.height + margin / 2;
  const cells = panels.map((panel, place) => {
    const x = margin + (place % columns) * panelSize.width;
    const y = top + Math.floor(place / columns) * panelSize.height;
    return `<g transform="translate(${x} ${y})">${drawPanel(panel, steps)}</g>`;
  });
  const empty = `<text class="unit" x="30" y="60">${escapeXml(none)}</text>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`,
    ` font-family="${fontFamily}, system-ui, sans-serif" role="img" aria-label="${escapeXml(label)}">`,
    `<style>${curveStyle((name) => colours[name]!)}</style>`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...legend.parts,
    ...(cells.length > 0 ? cells : [empty]),
    '</svg>',
  ].join('');
}

/** The same for a web page: one small SVG a metric, in the colours that the page gives to `curveStyle`. */
export function curveFigures(runs: readonly RunMetrics[]): string[] {
  const panels = curvePanels(runs);
  const steps = stepRange(panels);
  return panels.map((panel) => {
    const { width, height } = panelSize;
    const label = escapeXml(panelDescription(panel));
    return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">${drawPanel(panel, steps)}</svg>`;
  });
}

function stepRange(panels: readonly CurvePanel[]): [number, number] {
  return xRange(panels.filter(({ axis }) => axis === undefined));
}

/** The names of the runs, one below the other: names of runs are long. */
function legendRows(names: readonly string[]): { parts: string[]; height: number } {
  const parts = names.map((name, run) => {
    const y = margin + 10 + run * 20;
    const line = names.length === 1 ? '' : `<path class="line run-${run % runColourCount}" d="M30 ${y - 4}h22"/>`;
    return `${line}<text class="title" x="${names.length === 1 ? 30 : 60}" y="${y}">${escapeXml(name)}</text>`;
  });
  return { parts, height: names.length * 20 + 10 };
}
