import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { lastJson, tesseraBinary } from '../support/run-tessera.js';

function doctor(env: NodeJS.ProcessEnv, ...args: string[]) {
  return spawnSync(process.execPath, [tesseraBinary, 'doctor', ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}

describe('tessera doctor', () => {
  it('finds everything on a machine that is set up', () => {
    const { status, stdout } = doctor({}, '--json');
    expect(lastJson(stdout)).toMatchObject({
      ok: true,
      problems: [],
      machine: { node: process.versions.node },
      engine: { addon: { upToDate: true }, loaded: { version: expect.stringMatching(/^\d+\.\d+/) } },
      images: { formats: expect.arrayContaining(['jpeg', 'png', 'webp']) },
    });
    expect(status).toBe(0);
  });

  it('works without an engine, and says what is wrong and what to do', () => {
    const { status, stdout } = doctor({ TESSERA_LIBTORCH: '/nowhere' });
    expect(stdout).toContain('TESSERA_LIBTORCH=/nowhere: /nowhere does not exist');
    expect(stdout).toContain('npm run setup');
    expect(status).toBe(1);
  });
});
