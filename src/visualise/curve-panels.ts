import type { EventOf } from '../runs/run-events.js';

/** The metrics of one run, in the order of steps, as `readMetrics` gives them. */
export interface RunMetrics {
  readonly name: string;
  readonly metrics: readonly EventOf<'metrics'>[];
}

/** A line: values over steps or what else a panel is along. Values that are not finite are gaps. */
export interface CurveSeries {
  /** Which run, counted from 0. */
  readonly run: number;
  /** Which of the panel's metrics, counted from 0, and its name; one panel may show a few. */
  readonly part: number;
  readonly label: string;
  readonly points: readonly (readonly [step: number, value: number])[];
}

/** One diagram. */
export interface CurvePanel {
  readonly title: string;
  readonly unit: string;
  /** Values that its axis holds in any case. */
  readonly reach: readonly number[];
  /** What the lines stand for where there are several of one run. */
  readonly parts: readonly string[];
  readonly series: readonly CurveSeries[];
  /** What the horizontal axis counts: steps unless given. */
  readonly axis?: string;
}

interface PanelText {
  readonly title: string;
  readonly unit: string;
  readonly reach?: readonly number[];
  /** Values are multiplied by it. */
  readonly scale?: number;
}

/** How known metrics are called; in this order. `a` also stands for `a.x` and `a.y`, which share a panel. */
const panelTexts: Readonly<Record<string, PanelText>> = {
  loss: { title: 'Student loss', unit: 'nats' },
  clustering: { title: 'Clustering loss', unit: 'nats' },
  targetEntropy: { title: 'Target entropy', unit: 'nats' },
  prototypesInUse: { title: 'Prototypes in use', unit: 'per batch', reach: [0] },
  knnBlock: { title: 'k-NN by block', unit: '% of a class, mean', reach: [] },
  knnHead: { title: 'k-NN by head', unit: '% of a class, mean', reach: [] },
  headLoss: { title: 'Loss by head', unit: 'nats' },
  alignment: { title: 'Alignment', unit: 'probability of the right image', reach: [0, 1] },
  localAlignment: { title: 'Alignment of local views', unit: 'probability of the right image', reach: [0, 1] },
  neighbourSimilarity: { title: 'Similarity of neighbours', unit: 'cosine', reach: [1] },
  neighbourAccuracy: { title: 'Neighbours of the same class', unit: '%', reach: [0, 100], scale: 100 },
  neighbourAge: { title: 'Age of neighbours', unit: 'images', reach: [0] },
  queueFilled: { title: 'Queue filled', unit: '%', reach: [0, 100], scale: 100 },
  lossWeight: { title: 'Loss weights', unit: '', reach: [0, 1] },
  featureSpread: { title: 'Feature spread', unit: '0 collapsed, 1 everywhere', reach: [0, 1] },
  gradientNorm: { title: 'Gradient norm', unit: '', reach: [0] },
  lr: { title: 'Learning rates', unit: '', reach: [0] },
  momentum: { title: 'Teacher momentum', unit: '' },
  imagesPerSecond: { title: 'Throughput', unit: 'images/s', reach: [0] },
  dataWait: { title: 'Waiting for images', unit: '% of the time', reach: [0, 10], scale: 100 },
  residentBytes: { title: 'Memory of the process', unit: 'GB', reach: [0], scale: 1e-9 },
  liveTensors: { title: 'Live tensors', unit: '' },
};

/**
 * The diagrams of one run, or of several over each other: one for each metric that any of them logged, known ones first.
 * Metrics whose names differ after a dot only, such as `lr.student` and `lr.clustering`, share one.
 */
export function curvePanels(runs: readonly RunMetrics[]): CurvePanel[] {
  const names = new Set(runs.flatMap(({ metrics }) => metrics.flatMap(({ values }) => Object.keys(values))));
  const groups = new Map<string, string[]>(Object.keys(panelTexts).map((group) => [group, []]));
  for (const name of names) {
    const group = name.split('.', 1)[0]!;
    groups.set(group, [...(groups.get(group) ?? []), name]);
  }
  const panels = [...groups]
    .filter(([, members]) => members.length > 0)
    .map(([group, members]) => panelOf(group, members, runs));
  const blocks = blockPanel(runs);
  return blocks === undefined ? panels : [blocks, ...panels];
}

/** How good the blocks of an encoder are before and after the training, where that was followed. */
function blockPanel(runs: readonly RunMetrics[]): CurvePanel | undefined {
  const series = runs.flatMap(({ metrics }, run): CurveSeries[] => {
    const measured = metrics.map(({ values }) => blockPoints(values)).filter((points) => points.length > 0);
    if (measured.length < 2) return [];
    return [
      { run, part: 1, label: 'before', points: measured[0]! },
      { run, part: 0, label: 'after', points: measured.at(-1)! },
    ];
  });
  if (series.length === 0) return undefined;
  const { title, unit } = panelTexts.knnBlock!;
  return { title: `${title}, before and after`, unit, reach: [], parts: ['after', 'before'], series, axis: 'block' };
}

function blockPoints(values: Readonly<Record<string, number>>): [block: number, value: number][] {
  return Object.entries(values).flatMap(([name, value]): [number, number][] => {
    const block = /^knnBlock\.(\d+)$/.exec(name)?.[1];
    return block === undefined ? [] : [[Number(block), value]];
  });
}

function panelOf(group: string, members: readonly string[], runs: readonly RunMetrics[]): CurvePanel {
  const { title, unit, reach = [], scale = 1 } = panelTexts[group] ?? { title: words(group), unit: '' };
  const parts = members.map((member) => member.slice(group.length + 1) || member);
  const series = runs.flatMap(({ metrics }, run) =>
    members.flatMap((member, part): CurveSeries[] => {
      const points = metrics.flatMap(({ step, values }): [number, number][] => {
        const value = values[member];
        return value === undefined ? [] : [[step, value * scale]];
      });
      return points.length === 0 ? [] : [{ run, part, label: parts[part]!, points }];
    }),
  );
  return { title, unit, reach, parts, series };
}

/** `someMetric` as `Some metric`. */
function words(name: string): string {
  const text = name.replaceAll(
    /([a-z0-9])([A-Z])/g,
    (_, before: string, letter: string) => `${before} ${letter.toLowerCase()}`,
  );
  return text.charAt(0).toUpperCase() + text.slice(1);
}
