import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { readMetrics } from '../../src/runs/event-log.js';
import { RunFolder } from '../../src/runs/run-folder.js';
import { lastJson, runTessera } from '../support/run-tessera.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const recipe = fileURLToPath(new URL('../fixtures/mae-test.yaml', import.meta.url));
const data = 'scenes://?split=train&count=40&size=32';

function tessera(...args: string[]): unknown {
  const { code, stdout, stderr } = runTessera([...args, '--json']);
  expect(code, stderr).toBe(0);
  return lastJson(stdout);
}

const pretrain = (out: string, ...more: string[]) =>
  tessera('pretrain', recipe, '--data', data, '--out', out, '--threads', '1', ...more);

/** What every step computed. */
const metrics = (out: string) =>
  readMetrics(RunFolder.open(out)).map(({ step, values: { reconstruction, gradientNorm, featureSpread, lr } }) => ({
    ...{ step, reconstruction, gradientNorm, featureSpread, lr },
  }));

it('trains MAE, resumes it bit for bit, and writes its encoder in the published layout', () => {
  const folder = temporaryFolder();
  const [whole, stopped] = [join(folder, 'whole'), join(folder, 'stopped')];
  expect(pretrain(whole)).toMatchObject({ steps: 12 });
  expect(metrics(whole)).toHaveLength(12);
  for (const { featureSpread } of metrics(whole)) expect(featureSpread).toBeGreaterThan(0);
  pretrain(stopped, '--max-steps', '7');
  pretrain(stopped, '--resume');
  expect(metrics(stopped)).toEqual(metrics(whole));

  for (const picture of ['reconstruction', 'masks']) {
    const drawn = tessera('visualise', picture, '--run', whole, '--data', data, '--count', '2');
    expect(drawn).toMatchObject({ images: 2, report: join(whole, 'report.html') });
    expect(readFileSync(join(whole, 'images', `${picture}.png`)).length).toBeGreaterThan(2000);
  }

  const published = join(folder, 'mae.pth');
  expect(tessera('convert', whole, published, '--layout', 'mae')).toMatchObject({ layout: 'mae' });
  const [ours, theirs] = [whole, `${published}?family=mae&heads=2`].map((model, i) => {
    const out = join(folder, `${i}.npy`);
    tessera('features', '--model', model, '--data', data, '--size', '32', '--out', out);
    return readFileSync(out);
  });
  expect(ours!.length).toBeGreaterThan(40 * 32 * 4);
  expect(ours!.equals(theirs!)).toBe(true);
});
