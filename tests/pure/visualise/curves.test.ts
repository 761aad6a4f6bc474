import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { evaluationMetrics } from '../../../src/runs/event-log.js';
import { curvePanels, type RunMetrics } from '../../../src/visualise/curve-panels.js';
import { curveFigures, curveSheet } from '../../../src/visualise/curve-sheet.js';
import { drawPanel } from '../../../src/visualise/draw-panel.js';
import { svgToPng } from '../../../src/visualise/rasterise-svg.js';

const run = (name: string, values: readonly Readonly<Record<string, number>>[]): RunMetrics => ({
  name,
  metrics: values.map((record, place) => ({
    type: 'metrics',
    step: 10 * (place + 1),
    time: '2026-01-01T00:00:00Z',
    values: record,
  })),
});

/** The points of the lines of one class, as numbers. */
function lines(svg: string, kind: string): number[][][] {
  return [...svg.matchAll(new RegExp(`class="line ${kind}[^"]*" d="([^"]+)"`, 'g'))].map((match) =>
    match[1]!.split(/(?=M)/).flatMap((part) =>
      part
        .slice(1)
        .split('L')
        .map((point) => point.split(' ').map(Number)),
    ),
  );
}

const first = run('first', [
  { dataWait: 0.25, loss: 6, 'lr.student': 0.001, 'lr.clustering': 0.0005, momentum: 0.99, someThing: 1 },
  { dataWait: 0.25, loss: 5, 'lr.student': 0.002, 'lr.clustering': 0.0005, momentum: 1, someThing: 2 },
  { dataWait: 0.25, loss: 3, 'lr.student': 0.001, 'lr.clustering': 0.0005, momentum: 1, someThing: 3 },
]);

describe('panels', () => {
  it('come in a fixed order, with rates together and unknown metrics last', () => {
    const panels = curvePanels([first]);
    expect(panels.map(({ title }) => title)).toEqual([
      'Student loss',
      'Learning rates',
      'Teacher momentum',
      'Waiting for images',
      'Some thing',
    ]);
    expect(panels[1]!.parts).toEqual(['student', 'clustering']);
    expect(panels[0]!.series[0]!.points).toEqual([
      [10, 6],
      [20, 5],
      [30, 3],
    ]);
    expect(panels[3]!.series[0]!.points[0]).toEqual([10, 25]);
  });

  it('show every run that logged the metric', () => {
    const other = run('other', [{ loss: 4 }]);
    const [loss, rates] = curvePanels([first, other]);
    expect(loss!.series.map((series) => series.run)).toEqual([0, 1]);
    expect(rates!.series.map((series) => series.run)).toEqual([0, 0]);
  });
});

describe('blocks that were followed', () => {
  const followed = run('followed', [
    { 'knnBlock.0': 10, 'knnBlock.1': 12 },
    { loss: 3 },
    { 'knnBlock.0': 11, 'knnBlock.1': 20 },
  ]);

  it('come first, before and after, over their numbers', () => {
    const [panel, loss] = curvePanels([followed]);
    expect(loss!.title).toBe('Student loss');
    expect(panel).toMatchObject({ axis: 'block', parts: ['after', 'before'] });
    expect(panel!.series.map(({ label, points }) => ({ label, points }))).toEqual([
      {
        label: 'before',
        points: [
          [0, 10],
          [1, 12],
        ],
      },
      {
        label: 'after',
        points: [
          [0, 11],
          [1, 20],
        ],
      },
    ]);
    const [figure] = curveFigures([followed]);
    expect(figure).toContain('over blocks; before: from 10 to 12; after: from 11 to 20');
    // The axis of steps is that of the other panels: blocks span the whole of theirs.
    const [after] = lines(figure!, 'run-0 part-0');
    expect(after![1]![0]! - after![0]![0]!).toBe(250);
  });

  it('are not compared with themselves', () => {
    const once = run('once', [{ 'knnBlock.0': 10 }]);
    expect(curvePanels([once]).map(({ axis }) => axis)).toEqual([undefined]);
  });
});

describe('evaluations at several steps', () => {
  it('are lines of their own for teacher and student', () => {
    const event = (step: number, encoder: 'teacher' | 'student', top1: number) =>
      ({ type: 'evaluation', step, time: '2026-01-01T00:00:00Z', task: 'knn', encoder, metrics: { top1 } }) as const;
    const events = [
      event(0, 'teacher', 10),
      event(0, 'student', 11),
      event(5, 'teacher', 30),
      event(5, 'student', 20),
      // Once is no curve.
      { ...event(5, 'student', 50), task: 'linear' },
    ];
    const panels = curvePanels([{ name: 'run', metrics: evaluationMetrics(events) }]);
    expect(panels.map(({ parts }) => parts)).toEqual([['top1', 'top1 of the student']]);
    expect(panels[0]!.series.map(({ points }) => points)).toEqual([
      [
        [0, 10],
        [5, 30],
      ],
      [
        [0, 11],
        [5, 20],
      ],
    ]);
  });
});

describe('a drawn panel', () => {
  const draw = (values: readonly number[], steps: [number, number] = [10, 10 * values.length]) =>
    drawPanel(
      curvePanels([
        run(
          'r',
          values.map((loss) => ({ loss })),
        ),
      ])[0]!,
      steps,
    );

  it('puts values where they belong', () => {
    const [points] = lines(draw([6, 4, 2]), 'run-0');
    const [a, b, c] = points!;
    expect(b![0]! - a![0]!).toBeCloseTo(c![0]! - b![0]!, 1);
    expect(b![1]! - a![1]!).toBeCloseTo(c![1]! - b![1]!, 1);
    expect(c![1]!).toBeGreaterThan(a![1]!);
  });

  it('leaves gaps where values are not finite, and shows single ones as dots', () => {
    const svg = draw([6, 5, Number.NaN, 4, Number.POSITIVE_INFINITY, 3, 2]);
    expect(lines(svg, 'run-0')[0]).toHaveLength(4);
    expect(svg.match(/<circle class="dot run-0/g)).toHaveLength(1);
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  it('keeps the peaks of long series', () => {
    const values = Array.from({ length: 20_000 }, (_, i) => (i === 12_345 ? 50 : 1 + (i % 2)));
    const points = lines(draw(values), 'run-0')[0]!;
    expect(points.length).toBeLessThan(1000);
    const highest = points.reduce((best, point) => (point[1]! < best[1]! ? point : best));
    expect(points.filter((point) => point[1] === highest[1])).toHaveLength(1);
    expect(points.map(([x]) => x)).toEqual(points.map(([x]) => x!).sort((p, q) => p - q));
  });

  it('can show one value, the same value always, and none that is finite', () => {
    expect(draw([3])).toContain('<circle class="dot run-0');
    expect(lines(draw([3, 3]), 'run-0')[0]).toHaveLength(2);
    expect(draw([Number.NaN, Number.NaN])).not.toMatch(/NaN|Infinity/);
  });
});

describe('a sheet of curves', () => {
  it('names the runs, escaped, and draws a line for each', () => {
    const sheet = curveSheet([first, { ...first, name: '<b>&"second"' }]);
    expect(sheet).toContain('&lt;b&gt;&amp;&quot;second&quot;');
    expect(sheet).not.toContain('<b>');
    // Five panels with a line of each run, one of them with two, and one line in the legend.
    expect(lines(sheet, 'run-0')).toHaveLength(5 + 1 + 1);
    expect(sheet.match(/class="line run-1/g)).toHaveLength(5 + 1 + 1);
    expect(sheet).toContain('solid: student · dashed: clustering');
  });

  it('is a picture with lines, the same every time', async () => {
    const sheet = curveSheet([first]);
    const png = svgToPng(sheet, 1);
    expect(svgToPng(curveSheet([first]), 1)).toEqual(png);
    const { channels } = await sharp(png).stats();
    expect(channels[0]!.mean).toBeGreaterThan(200);
    // Blue lines: their red is far below that of every grey.
    expect(channels[2]!.mean).toBeGreaterThan(channels[0]!.mean);
  });

  it('says so when nothing was logged', () => {
    expect(curveSheet([run('empty', [])])).toContain('No metrics were logged yet.');
  });

  it('gives figures for a page that carry their content in words', () => {
    const figures = curveFigures([first]);
    expect(figures).toHaveLength(5);
    expect(figures[0]).toContain('aria-label="Student loss (nats) over steps; loss: from 6 to 3"');
    expect(figures.join('')).not.toContain('http');
  });
});
