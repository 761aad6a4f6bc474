/** Small valid files of every kind that is read, to be damaged. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { create } from 'tar';

const { convert } = await import('../../dist/cli/actions/convert.js');
const fixtures = fileURLToPath(new URL('../../tests/fixtures/', import.meta.url));
const goldens = fileURLToPath(new URL('../../tests/goldens/', import.meta.url));

/**
 * A file or a folder that is read without error.
 * @typedef {object} Seed
 * @property {string} name file name; what is said behind it is kept apart
 * @property {string} format how it is damaged: zip, legacy, safetensors, run, image, png, tar, parquet
 * @property {string} kind how it is read, see file-reader.mjs
 * @property {string} hints said behind the file's name
 * @property {ReadonlyMap<string, Buffer>} files by relative path; one without path for a file
 */

/** @returns {Promise<Seed[]>} by turns, so that every kind is read equally often. */
export async function makeSeeds(folder) {
  mkdirSync(folder);
  const photo = photoOf();
  const pictures = await images(photo);
  const groups = [
    weights('zip', ['mae.pth', 'dinov2-registers.pth', 'd2v2refined.th', 'dino-training.pth', 'beit.pth']),
    weights('legacy', ['mae-legacy.pth']),
    weights('safetensors', ['timm.safetensors', 'timm-registers.safetensors']),
    await runs(folder),
    pictures,
    [...pictures].reverse(),
    await labels(),
    await archives(folder, photo),
    [file('parquet', 'parquet', join(fixtures, 'images.parquet'))],
  ];
  const most = Math.max(...groups.map((group) => group.length));
  return Array.from({ length: most }, (_, turn) => groups.map((group) => group[turn % group.length])).flat();
}

function file(format, kind, path, hints = '') {
  return { name: basename(path), format, kind, hints, files: new Map([['', readFileSync(path)]]) };
}

function weights(format, names) {
  return names.map((name) => file(format, 'weights', join(fixtures, 'encoders', name), '?heads=2'));
}

/** Checkpoints of our own, and the published file that they are made of. */
async function runs(folder) {
  const published = join(goldens, 'capi_tiny.pth');
  const run = join(folder, 'run');
  await convert({ input: published, output: run, weights: 'teacher' });
  const names = readdirSync(run, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(run, name)).isFile(),
  );
  const files = new Map(names.map((name) => [name, readFileSync(join(run, name))]));
  return [{ name: 'run', format: 'run', kind: 'weights', hints: '', files }, file('zip', 'weights', published)];
}

/** A picture with edges and noise, which every coder has work with. */
function photoOf() {
  const [width, height] = [40, 30];
  const pixels = Buffer.alloc(width * height * 3);
  for (let i = 0; i < pixels.length; i++) pixels[i] = ((i * 2654435761) >>> 24) % (i % 5 === 0 ? 256 : 64);
  return { pixels, raw: { width, height, channels: 3 } };
}

async function images({ pixels, raw }) {
  const picture = () => sharp(pixels, { raw });
  const frames = () => sharp(Buffer.concat([pixels, pixels]), { raw: { ...raw, height: 60, pageHeight: 30 } });
  const coded = {
    'plain.jpg': picture()
      .withExif({ IFD0: { Orientation: '6', Copyright: 'nobody' } })
      .jpeg(),
    'progressive.jpg': picture().jpeg({ progressive: true, chromaSubsampling: '4:4:4' }),
    'plain.png': picture().png(),
    'deep.png': picture().toColourspace('rgb16').png({ progressive: true }),
    'palette.png': picture().png({ palette: true, colours: 16 }),
    'lossy.webp': picture().webp(),
    'lossless.webp': picture().ensureAlpha(0.5).webp({ lossless: true }),
    'frames.webp': frames().webp(),
    'frames.gif': frames().gif(),
    'packed.tiff': picture().tiff({ compression: 'lzw', predictor: 'horizontal' }),
    'tiles.tiff': picture().tiff({ compression: 'deflate', tile: true, tileWidth: 16, tileHeight: 16 }),
    'jpeg.tiff': picture().tiff({ compression: 'jpeg' }),
    'plain.avif': picture().avif({ effort: 0 }),
  };
  const made = await Promise.all(
    Object.entries(coded).map(async ([name, coder]) => ({
      ...{ name, format: name.endsWith('.png') ? 'png' : 'image', kind: 'image', hints: '' },
      files: new Map([['', await coder.toBuffer()]]),
    })),
  );
  return [...made, file('image', 'image', join(fixtures, 'cmyk-adobe.jpg'))];
}

/** Maps of class ids, read by our own decoder. */
async function labels() {
  return [file('png', 'labels', join(goldens, 'eval_label_0.png'))];
}

async function archives(folder, { pixels, raw }) {
  const cwd = join(folder, 'samples');
  mkdirSync(cwd);
  const names = ['0.jpg', '0.cls', '1.png', '1.cls', `${'long'.repeat(60)}.jpg`];
  for (const name of names) {
    const picture = sharp(pixels, { raw }).toFormat(name.endsWith('.png') ? 'png' : 'jpeg');
    writeFileSync(join(cwd, name), name.endsWith('.cls') ? '3' : await picture.toBuffer());
  }
  return Promise.all(
    [false, true].map(async (noPax) => {
      const path = join(folder, `${noPax ? 'plain' : 'extended'}.tar`);
      await create({ file: path, cwd, noPax, portable: true }, noPax ? names.slice(0, 4) : names);
      return file('tar', 'tar', path);
    }),
  );
}
