import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { refreshReport } from '../../../src/report/refresh-report.js';
import { saveRunPicture } from '../../../src/report/run-pictures.js';
import { writeReport } from '../../../src/report/write-report.js';
import { DataError } from '../../../src/support/errors.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { exampleRun } from '../runs/example-run.js';

let png: Buffer;
beforeAll(async () => {
  png = await sharp({ create: { width: 3, height: 2, channels: 3, background: '#369' } })
    .png()
    .toBuffer();
});

const run = () =>
  exampleRun(join(temporaryFolder(), 'first'), undefined, [
    { type: 'metrics', step: 50, values: { loss: 6 } },
    { type: 'evaluation', step: 100, task: 'knn', encoder: 'teacher', metrics: { top1: 11.1 } },
    { type: 'evaluation', step: 100, task: 'knn', encoder: 'teacher', metrics: { top1: 61.2 }, floor: { top1: 20.3 } },
    { type: 'evaluation', step: 100, task: 'unheard-of', encoder: 'student', metrics: { share: 5.5 } },
  ]);

describe('a report written anew', () => {
  it('tells of a run that has none what its folder holds', () => {
    const folder = run();
    const page = readFileSync(refreshReport(folder, 'tessera'), 'utf8');
    expect(page).toContain('<h1>first</h1>');
    expect(page).toContain('Trained with capi for 100 steps');
    expect(page).toContain('<b>61.2</b>');
    expect(page).toContain('<b>20.3</b>');
    expect(page).not.toContain('11.1');
    expect(page).toContain('unheard-of (student)');
    expect(page).not.toContain('<img');
  });

  it('tells of a refined run what its watched images say, until an evaluation compares it', () => {
    const events: Parameters<typeof exampleRun>[2] = [
      { type: 'metrics', step: 0, values: { 'knnBlock.5': 15.3, 'knnBlock.3': 17.04, 'knnHead.5': 3 } },
      { type: 'metrics', step: 60, values: { loss: 6 } },
      { type: 'metrics', step: 100, values: { 'knnBlock.5': 19.81, 'knnBlock.3': 18, 'knnHead.5': 4 } },
      { type: 'evaluation', step: 100, task: 'knn', encoder: 'teacher', metrics: { top1: 61.2 } },
    ];
    const page = (more: typeof events) => {
      const folder = exampleRun(join(temporaryFolder(), 'refined'), undefined, [...events, ...more]);
      return readFileSync(refreshReport(folder, 'tessera'), 'utf8');
    };
    expect(page([])).toContain('Refining raised the nearest neighbours');
    expect(page([])).toContain('Block 5: 15.3 % before, 19.8 % at step 100.');
    expect(page([])).toContain('The best block before: Block 3: 17.0 % before, 18.0 % at step 100.');
    const floor = { top1: 20.3 };
    expect(
      page([{ type: 'evaluation', step: 100, task: 'knn', encoder: 'teacher', metrics: { top1: 61.2 }, floor }]),
    ).not.toContain('Refining raised');
  });

  it('shows the pictures that the run has by now, in the order of their kinds, each once', () => {
    const folder = run();
    saveRunPicture(folder, 'zebra', { title: 'Of no known kind', caption: 'last', png });
    saveRunPicture(folder, 'masks', { title: 'Masks', caption: 'before it', png });
    refreshReport(folder, 'tessera');
    saveRunPicture(folder, 'pca', { title: 'Components', caption: 'first', png });
    saveRunPicture(folder, 'pca', { title: 'Components again', caption: 'first', png });
    const page = readFileSync(refreshReport(folder, 'tessera'), 'utf8');
    const titles = [...page.matchAll(/<h2>([^<]*)<\/h2><figure>/g)].map((match) => match[1]);
    expect(titles).toEqual(['Components again', 'Masks', 'Of no known kind']);
  });

  it('keeps what the first one said, and adds what the log has beyond it', () => {
    const folder = run();
    const trained = { value: 50, interval: [45, 55] as const };
    const evaluations = [{ name: 'k-NN', metric: 'top-1', of: 'knn of teacher', trained }];
    writeReport(folder, {
      title: 'My run',
      summary: 'Of photos.',
      verdict: { tone: 'good', headline: 'It works.', sentences: ['Very well.'] },
      evaluations,
      nextCommands: [{ command: 'tessera eval', purpose: 'Judge it' }],
      command: 'tessera quickstart',
      facts: [['Training data', 'photos']],
    });
    const page = readFileSync(refreshReport(folder, 'tessera'), 'utf8');
    for (const text of ['It works.', '<b>50.0</b>', '<b>5.5</b>']) expect(page).toContain(text);
    expect(page).not.toContain('<b>61.2</b>');
    expect(readFileSync(refreshReport(folder, 'tessera'), 'utf8')).toBe(page);
  });

  it('shows the last numbers of all evaluations, whatever their unit, beside other models', () => {
    const metrics = { rankMe: 12.345, spread: 0.5 };
    const beside = [{ model: 'runs/<other>', metrics: { rankMe: 9 }, intervals: {} }];
    const folder = exampleRun(join(temporaryFolder(), 'first'), undefined, [
      { type: 'evaluation', step: 50, task: 'unlabelled', encoder: 'teacher', on: 'photos', metrics: { rankMe: 1.5 } },
      {
        ...{ type: 'evaluation', step: 100, task: 'unlabelled', encoder: 'teacher', on: 'photos', metrics, beside },
        ...{ intervals: { spread: [0.4, 0.6] }, floor: { rankMe: 3 } },
      },
    ]);
    const page = readFileSync(refreshReport(folder, 'tessera'), 'utf8');
    expect(page).toContain('unlabelled of teacher on photos <small>step 100</small>');
    expect(page).toContain('<th scope="row">RankMe</th><td>12.35</td><td>3.00</td><td>9.00</td>');
    expect(page).toContain('<td>0.50 <small>0.40 to 0.60</small></td>');
    expect(page).toContain('<th scope="col">runs/&lt;other&gt;</th>');
    // Two steps make a curve, of the last number too.
    expect(page).toMatch(/aria-label="Unlabelled/);
  });

  it.each(['{', '{"title": 1}'])('says what to do about a damaged memory: %s', (text) => {
    const folder = run();
    writeFileSync(folder.reportParts, text);
    expect(() => refreshReport(folder, 'tessera')).toThrow(DataError);
  });

  it.each(['{', '{"title": 1}'])('names the damaged text of a picture: %s', (text) => {
    const folder = run();
    saveRunPicture(folder, 'pca', { title: '', caption: '', png });
    writeFileSync(join(folder.images, 'pca.json'), text);
    expect(() => refreshReport(folder, 'tessera')).toThrow(/pca\.json is not the text of a picture/);
  });
});
