import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ReportParts } from '../../../src/report/report-parts.js';
import { saveRunPicture } from '../../../src/report/run-pictures.js';
import { verdictOf } from '../../../src/report/verdict.js';
import { writeReport } from '../../../src/report/write-report.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { exampleRun } from '../runs/example-run.js';

const hostile = '<script>alert(1)</script>" onload="x" \' & </style>';
const evaluations: ReportParts['evaluations'] = [
  {
    name: hostile,
    metric: hostile,
    on: hostile,
    trained: { value: 50, interval: [45, 55] },
    untrained: { value: 20, interval: [15, 25] },
  },
];
let png: Buffer;

beforeAll(async () => {
  png = await sharp({ create: { width: 30, height: 20, channels: 3, background: '#369' } })
    .png()
    .toBuffer();
});

function report({ pictures = true, ...changes }: Partial<ReportParts> & { pictures?: boolean } = {}): string {
  const config = `method: capi # recipe\nseed: 7 # command line\noptim:\n  batchSize: 8\n  lr: "${hostile.replaceAll('"', '\\"')}"\n`;
  const run = exampleRun(join(temporaryFolder(), '<b>run'), config, [
    { type: 'metrics', step: 50, values: { loss: 6, [hostile]: 1 } },
    { type: 'metrics', step: 100, values: { loss: 3, [hostile]: 2 } },
    { type: 'health', step: 100, check: 'capi', level: 'good', message: `healthy: ${hostile}` },
  ]);
  if (pictures) saveRunPicture(run, 'pca', { title: hostile, caption: hostile, png });
  const path = writeReport(run, {
    title: hostile,
    summary: hostile,
    verdict: verdictOf(evaluations),
    evaluations,
    nextCommands: [{ command: hostile, purpose: hostile }],
    command: hostile,
    facts: [[hostile, hostile]],
    ...changes,
  });
  expect(path).toBe(run.report);
  return readFileSync(path, 'utf8');
}

describe('a report', () => {
  it('escapes whatever names, messages and values hold', () => {
    const page = report();
    expect(page).not.toMatch(/<script/i);
    expect(page).not.toContain('<b>run');
    expect(page).not.toContain('onload="');
    expect(page.match(/<\/style>/g)).toHaveLength(1);
    expect(page.split('&lt;script&gt;alert(1)').length).toBeGreaterThan(12);
  });

  it('embeds everything and loads nothing', () => {
    const page = report();
    expect(page).not.toMatch(/https?:|file:|\/\/[a-z]|@import|<link|<iframe|<object/i);
    expect([...page.matchAll(/(?:src|href)="([^"]{0,30})/g)].map((match) => match[1])).toEqual([
      expect.stringMatching(/^data:image\/png;base64,/),
    ]);
    expect(page).toContain(png.toString('base64'));
    expect(page).toContain('width="30" height="20"');
    expect(page).toContain("default-src 'none'");
  });

  it('tells what the run folder holds', () => {
    const page = report({ title: 'A title' });
    expect(page).toContain('<title>A title</title>');
    expect(page).toMatch(/<dt>Seed<\/dt><dd>7<\/dd>/);
    expect(page).toMatch(/<dt>Engine<\/dt><dd>2\.11\.0<\/dd>/);
    expect(page).toMatch(/<dt>Images seen<\/dt><dd>800<\/dd>/);
    expect(page).toMatch(/<dt>Training time<\/dt><dd>12 s<\/dd>/);
    expect(page).toContain('Student loss (nats) over steps; loss: from 6 to 3');
    expect(page).toMatch(/>optim\.batchSize<\/th><td>8<\/td>/);
    expect(page).toContain('Health at step 100: healthy');
  });

  it('gives every value with its interval, and says what was not measured', () => {
    const baseline = { value: 30.04, interval: [28, 32.5] } as const;
    const page = report({ evaluations: [{ ...evaluations[0]!, colourAndPosition: baseline }, evaluations[0]!] });
    expect(page).toContain('<b>50.0</b><small>45.0 to 55.0</small>');
    expect(page).toContain('<b>30.0</b><small>28.0 to 32.5</small>');
    expect(page.match(/not measured/g)).toHaveLength(1);
  });

  it('can do with nothing but words', () => {
    const page = report({ evaluations: [], pictures: false, nextCommands: [], facts: [] });
    expect(page).not.toContain('<img');
    expect(page).not.toContain('<h2>Evaluations</h2>');
    expect(page).not.toContain('undefined');
  });

  it('has balanced markup', () => {
    const open: string[] = [];
    const empty = new Set(['meta', 'img', 'line', 'circle', 'path', 'rect']);
    const page = report().replace(/<style>[\s\S]*?<\/style>/, '');
    for (const [, close, name] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*>/g)) {
      if (close === '/') expect(open.pop()).toBe(name);
      else if (!empty.has(name!)) open.push(name!);
    }
    expect(open).toEqual([]);
  });
});
