import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { buildAddon } from '../../../src/engine/build-addon.js';
import type { Libtorch } from '../../../src/engine/locate-libtorch.js';
import { type BuildPlaces, planAddon } from '../../../src/engine/plan-addon.js';
import { fakeLibtorch, fakeProgram } from '../../support/fake-libtorch.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

let scratch: string;
let places: BuildPlaces;
let libtorch: Libtorch;

/** Copies a source to its object, refuses sources with `#error`, and notes how it was called. */
const compiler = `
echo "$@" >> "$(dirname "$0")/calls"
[ "$1" = --version ] && echo 'fake 1.0' && exit 0
last=; source=
for argument in "$@"; do
  case "$last" in -o) output=$argument;; -c) source=$argument;; esac
  last=$argument
done
if [ -n "$source" ]; then
  if grep -q '#error' "$source"; then echo "$source:1: error: no good" >&2; exit 1; fi
  cp "$source" "$output"
else
  echo 'not a library' > "$output"
fi`;

beforeEach(() => {
  scratch = temporaryFolder();
  const native = join(scratch, 'native');
  mkdirSync(join(native, 'kernels'), { recursive: true });
  mkdirSync(join(native, 'images'));
  mkdirSync(join(native, 'gloo-declarations'));
  writeFileSync(join(native, 'addon.cc'), 'int addon;');
  writeFileSync(join(native, 'addon.h'), '');
  writeFileSync(join(native, 'kernels', 'rope.cc'), 'int rope;');
  writeFileSync(join(native, 'images', 'jpeg.cc'), 'int jpeg;');
  writeFileSync(join(native, 'images', 'jpeg.h'), '');
  writeFileSync(join(native, 'gloo-declarations', 'not-ours.cc'), '#error');
  const env = { ...process.env, CXX: fakeProgram(scratch, 'g++', compiler) };
  places = { native, build: join(scratch, 'build'), env };
  libtorch = {
    root: fakeLibtorch(join(scratch, 'torch'), '2.11.0'),
    version: '2.11.0',
    origin: 'cache',
    cuda: false,
  };
});

const build = () => buildAddon(libtorch, () => {}, places);
const objects = () => readdirSync(join(places.build, 'objects')).map((name) => name.replace(/-[0-9a-f]{16}\.o$/, ''));
const calls = () => readFileSync(join(scratch, 'calls'), 'utf8').trim().split('\n');

describe('planAddon', () => {
  const hash = async (more: Partial<BuildPlaces> = {}) => (await planAddon(libtorch, { ...places, ...more })).hash;

  it('gives the same hash until a source, a header, libtorch or the compiler changes', async () => {
    const seen = [await hash()];
    expect(await hash()).toBe(seen[0]);
    writeFileSync(join(places.native, 'kernels', 'rope.cc'), 'int rope2;');
    seen.push(await hash());
    writeFileSync(join(places.native, 'addon.h'), 'int declared;');
    seen.push(await hash());
    writeFileSync(join(libtorch.root, 'version.py'), "__version__ = '2.11.0'\ngit_version = 'abc'\n");
    seen.push(await hash());
    const newer = fakeProgram(scratch, 'newer', "echo 'fake 2.0'");
    seen.push(await hash({ env: { ...places.env, CXX: newer } }));
    writeFileSync(join(places.native, 'images', 'jpeg.h'), 'int declared;');
    seen.push(await hash());
    expect(new Set(seen).size).toBe(6);
  });

  it('compiles the addon for images without libtorch, and again only for its own headers', async () => {
    const before = await planAddon(libtorch, places);
    expect(before.images.compilerFlags.join(' ')).not.toContain(libtorch.root);
    expect(before.images.linkerFlags.join(' ')).not.toContain('torch');
    expect(before.images.units.map(({ source }) => source)).toEqual([join(places.native, 'images', 'jpeg.cc')]);
    writeFileSync(join(places.native, 'addon.h'), 'int declared;');
    const after = await planAddon(libtorch, places);
    expect(after.images.units).toEqual(before.images.units);
    writeFileSync(join(places.native, 'images', 'jpeg.h'), 'int declared;');
    const last = await planAddon(libtorch, places);
    expect(last.images.units).not.toEqual(before.images.units);
    expect(last.engine.units).toEqual(after.engine.units);
  });

  it("links libtorch's own OpenMP runtime, and CUDA's libraries where they are", async () => {
    const { linkerFlags } = (await planAddon(libtorch, places)).engine;
    expect(linkerFlags).toContain(join(libtorch.root, 'lib', 'libgomp.so.1'));
    expect(linkerFlags).not.toContain('-ltorch_cuda');
    const { engine: withCuda } = await planAddon({ ...libtorch, cuda: true }, places);
    expect(withCuda.linkerFlags.indexOf('-Wl,--no-as-needed')).toBeLessThan(
      withCuda.linkerFlags.indexOf('-ltorch_cuda'),
    );
  });

  it('says which compiler is missing', async () => {
    const env = { ...places.env, CXX: join(scratch, 'gone') };
    await expect(planAddon(libtorch, { ...places, env })).rejects.toThrow(`\`${env.CXX}\` was not found`);
  });
});

describe('buildAddon', () => {
  it('shows all compile errors and names the files', async () => {
    writeFileSync(join(places.native, 'addon.cc'), '#error');
    writeFileSync(join(places.native, 'kernels', 'rope.cc'), '#error');
    await expect(build()).rejects.toThrow(
      /addon\.cc:1: error: no good[\s\S]*rope\.cc:1: error: no good[\s\S]*2 of 3 files did not compile: native\/addon\.cc, native\/kernels\/rope\.cc/,
    );
    expect(existsSync(join(places.build, 'objects')) && objects()).toEqual(['jpeg']);
  });

  it('refuses an addon that does not load, and does not compile its sources again', async () => {
    await expect(build()).rejects.toThrow(/was built but does not load: .*tessera\.node/);
    expect(objects().sort()).toEqual(['addon', 'jpeg', 'rope']);
    const before = calls().filter((call) => call.includes(' -c ')).length;
    await expect(build()).rejects.toThrow('does not load');
    writeFileSync(join(places.native, 'addon.cc'), 'int changed;');
    await expect(build()).rejects.toThrow('does not load');
    const after = calls().filter((call) => call.includes(' -c '));
    expect(before).toBe(3);
    expect(after).toHaveLength(4);
    expect(after.at(-1)).toContain('addon.cc');
  });

  it('takes addons that are there for built', async () => {
    const { engine, images, hash } = await planAddon(libtorch, places);
    mkdirSync(join(places.build, hash), { recursive: true });
    for (const { addon } of [engine, images]) writeFileSync(addon, '');
    expect(await build()).toEqual({ addon: engine.addon, hash, compiled: 0, reused: 3 });
    expect(calls().every((call) => call === '--version')).toBe(true);
  });
});
