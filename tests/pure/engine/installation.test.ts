import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Installation, recordInstallation, requireInstallation } from '../../../src/engine/installation.js';
import { describeProcessor } from '../../../src/engine/processor.js';
import { EngineError } from '../../../src/support/errors.js';
import { fakeLibtorch, fakeProgram } from '../../support/fake-libtorch.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

let scratch: string;
let build: string;
let env: NodeJS.ProcessEnv;
let installation: Installation;

beforeEach(() => {
  scratch = temporaryFolder();
  build = join(scratch, 'build');
  fakeProgram(scratch, 'python3', 'exit 0');
  env = { PATH: scratch, TESSERA_CACHE: join(scratch, 'cache') };
  const root = fakeLibtorch(join(scratch, 'torch'), '2.11.0');
  const addon = join(scratch, 'tessera.node');
  writeFileSync(addon, '');
  const { signature } = describeProcessor();
  installation = {
    addon,
    libtorch: { root, version: '2.11.0', origin: 'cache', cuda: false },
    hash: '0123456789abcdef',
    processor: signature,
  };
});

function refusal(more: NodeJS.ProcessEnv = {}): EngineError {
  try {
    requireInstallation({ ...env, ...more }, build);
  } catch (error) {
    expect(error).toBeInstanceOf(EngineError);
    return error as EngineError;
  }
  throw new Error('nothing was refused');
}

describe('requireInstallation', () => {
  it('gives what was recorded, in less than 5 ms', () => {
    recordInstallation(installation, build);
    const times = Array.from({ length: 20 }, () => {
      const started = performance.now();
      expect(requireInstallation(env, build)).toEqual(installation);
      return performance.now() - started;
    });
    expect(Math.min(...times)).toBeLessThan(5);
  });

  it('lists every place and the next command when nothing is set up', () => {
    const { message, hint } = refusal();
    for (const place of ['current.json', 'TESSERA_LIBTORCH', 'python3', join(scratch, 'cache')]) {
      expect(message).toContain(place);
    }
    expect(hint).toContain('npm run setup');
  });

  it('takes an unreadable record for none', () => {
    recordInstallation(installation, build);
    writeFileSync(join(build, 'current.json'), '{"addon"');
    expect(refusal().message).toContain('is not set up');
  });

  it('notices that addon or libtorch are gone, or that libtorch was replaced', () => {
    recordInstallation(installation, build);
    fakeLibtorch(installation.libtorch.root, '2.12.0');
    expect(refusal().message).toMatch(/built for libtorch 2\.11\.0, but .* now holds 2\.12\.0/);
    rmSync(installation.libtorch.root, { recursive: true });
    expect(refusal().message).toContain(`the libtorch in ${installation.libtorch.root} is gone`);
    rmSync(installation.addon);
    expect(refusal().message).toContain(`${installation.addon} is gone`);
  });

  it('holds TESSERA_LIBTORCH against what it was built for', () => {
    recordInstallation(installation, build);
    expect(requireInstallation({ ...env, TESSERA_LIBTORCH: installation.libtorch.root }, build)).toEqual(installation);
    expect(refusal({ TESSERA_LIBTORCH: '/opt/other' }).message).toContain('but TESSERA_LIBTORCH is /opt/other');
    const libtorch = { ...installation.libtorch, origin: 'TESSERA_LIBTORCH' as const };
    recordInstallation({ ...installation, libtorch }, build);
    expect(refusal().message).toContain('which is no longer set');
  });

  it('refuses an addon that was compiled for another processor', () => {
    recordInstallation({ ...installation, processor: 'x64 Pentium III' }, build);
    expect(refusal().message).toContain('compiled for another processor');
  });
});
