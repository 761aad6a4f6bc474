import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { lastJson } from '../support/run-tessera.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const script = fileURLToPath(new URL('../../scripts/fuzz-files.mjs', import.meta.url));

it.runIf(process.platform === 'linux')('damaged files of every kind are read or refused, and harm nothing', () => {
  const args = ['--count', '240', '--seed', '7', '--keep', join(temporaryFolder(), 'kept')];
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  expect(lastJson(stdout)).toMatchObject({ files: 240, wrong: 0 });
});
