import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { lastJson, runTessera } from '../support/run-tessera.js';
import { temporaryFolder } from '../support/temporary-folder.js';

it('trains, judges, draws, and ends with a report that needs no other file', () => {
  const out = join(temporaryFolder(), 'quickstart');
  const { code, stdout, stderr } = runTessera(['quickstart', '--out', out, '--steps', '20', '--json']);
  expect(code, stderr).toBe(0);
  const result = lastJson(stdout) as { report: string; evaluations: { task: string; floor: object }[] };
  expect(result.evaluations.map(({ task }) => task)).toEqual(['segment-knn', 'knn']);
  for (const { floor } of result.evaluations) expect(Object.keys(floor).length).toBeGreaterThan(0);
  const html = readFileSync(result.report, 'utf8');
  expect(html).not.toMatch(/(?:src|href)="(?!data:|#|https:\/\/arxiv)/);
  expect(html.match(/data:image\/png;base64,/g)?.length).toBeGreaterThanOrEqual(2);
  for (const name of ['pca.png', 'masks.png']) expect(existsSync(join(out, 'images', name))).toBe(true);
});
