import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create } from 'tar';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Dataset } from '../../../src/data/dataset.js';
import { decodeImage, readRange } from '../../../src/data/decode.js';
import { openDataset } from '../../../src/data/spec.js';
import { DataError } from '../../../src/support/errors.js';

const root = mkdtempSync(join(tmpdir(), 'tessera-sources-'));
let folder = root;
let count = 0;
beforeEach(() => {
  folder = join(root, `case-${count++}`);
  mkdirSync(folder);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Opening does not decode, so any bytes do for an image. */
function put(...names: string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), `contents of ${name}`);
  }
}

const items = (dataset: Dataset) => Array.from({ length: dataset.size }, (_, i) => dataset.item(i));
const names = (dataset: Dataset) => items(dataset).map((item) => item.name);
const labels = (dataset: Dataset) => items(dataset).map((item) => item.label);
const open = (spec: string) => openDataset(spec, { cwd: folder });

describe('folder', () => {
  it('takes sub-folders as classes, sorted by character code', async () => {
    put('zebra/1.jpg', 'Ant/2.JPEG', 'ant/deep/3.png', 'Ant/notes.txt');
    const dataset = await open('.');
    expect(dataset.classes).toEqual(['Ant', 'ant', 'zebra']);
    expect(names(dataset)).toEqual(['Ant/2.JPEG', 'ant/deep/3.png', 'zebra/1.jpg']);
    expect(labels(dataset)).toEqual([0, 1, 2]);
    expect(dataset.item(1).image).toEqual({ kind: 'file', path: join(folder, 'ant/deep/3.png') });
  });

  it('has no classes when an image lies at the top', async () => {
    put('a/1.jpg', '2.webp');
    const dataset = await open('folder://.');
    expect(dataset.classes).toBeUndefined();
    expect(labels(dataset)).toEqual([undefined, undefined]);
  });

  it('picks a split, and asks for one where there are several', async () => {
    put('train/a/1.jpg', 'train/b/2.jpg', 'val/a/3.jpg');
    expect((await open(`folder://${folder}?split=train`)).classes).toEqual(['a', 'b']);
    expect(names(await open('val'))).toEqual(['a/3.jpg']);
    await expect(open('.')).rejects.toThrow(/train, val.*picked/);
    await expect(open('folder://.?split=test')).rejects.toThrow(
      /test should be a folder of images, and does not exist/,
    );
  });

  it('leaves out hidden files and follows links without going in circles', async () => {
    put('a/1.jpg', '.hidden/2.jpg', 'a/.3.jpg', '__MACOSX/a/4.jpg', 'elsewhere-not/5.jpg');
    symlinkSync(folder, join(folder, 'a', 'circle'));
    symlinkSync(join(folder, 'a', '1.jpg'), join(folder, 'a', 'link.jpg'));
    symlinkSync(join(folder, 'gone.jpg'), join(folder, 'a', 'dead.jpg'));
    expect(names(await open('a'))).toEqual([...['1.jpg', 'circle/elsewhere-not/5.jpg', 'link.jpg']]);
  });

  it('says what it found instead of images', async () => {
    put('a.txt', 'b.txt', 'c.heic', 'LICENSE');
    await expect(open('.')).rejects.toThrow(/found 4 files, none of them an image: \.txt 2, \.heic 1, no extension 1/);
    mkdirSync(join(folder, 'empty'));
    await expect(open('empty')).rejects.toThrow(/holds no files/);
    await expect(open('nowhere')).rejects.toMatchObject({
      code: 'DATA',
      hint: expect.stringContaining('contains empty'),
    });
    await expect(open('a.txt')).rejects.toThrow(/is a file/);
  });

  it('notes image files of formats that are not read', async () => {
    put('1.jpg', '2.heic', '3.heic', '4.bmp', 'readme.txt');
    expect((await open('.')).notes).toEqual(['3 image files are left out, their format is not read: .heic 2, .bmp 1']);
  });

  it('has a fingerprint of names and sizes', async () => {
    put('1.jpg', '2.jpg');
    const before = (await open('.')).fingerprint;
    expect((await open(folder)).fingerprint).toBe(before);
    truncateSync(join(folder, '2.jpg'), 3);
    const shorter = (await open('.')).fingerprint;
    put('3.jpg');
    expect(new Set([before, shorter, (await open('.')).fingerprint]).size).toBe(3);
  });

  it('decodes percent signs, and keeps odd names as they are', async () => {
    put('a, b/1.jpg', '100%/2.jpg', 'was ist?/3.jpg');
    expect(names(await open('a, b'))).toEqual(['1.jpg']);
    expect(names(await open('a%2C%20b,100%'))).toEqual(['0/1.jpg', '1/2.jpg']);
    expect(names(await open('folder://was%20ist%3F'))).toEqual(['3.jpg']);
  });
});

describe('specifications', () => {
  it('names what it does not know, with examples', async () => {
    await expect(open('s3://bucket')).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('known are folder, list, tar, parquet, segmentation, scenes'),
      hint: expect.stringContaining('scenes://'),
    });
    await expect(open('scenes://?cuont=3&sizes=4')).rejects.toThrow(
      /unknown key "cuont"; unknown key "sizes"; known are split, count, size, seed/,
    );
    await expect(open('list://a.txt?x=1')).rejects.toThrow(/takes none/);
    await expect(open('scenes://?count=many')).rejects.toThrow(/count must be an integer of at least 1, not "many"/);
    await expect(open('scenes://?count=0')).rejects.toThrow(/at least 1/);
    await expect(open('folder://?split=a')).rejects.toThrow(/names no path/);
    await expect(open('scenes://?split=')).rejects.toThrow(/has no value/);
    await expect(open('scenes://?seed=1&seed=2')).rejects.toThrow(/given twice/);
    await expect(open('folder://a%zz')).rejects.toThrow(/percent-encoded/);
    await expect(open('a,,b')).rejects.toThrow(/between the commas/);
    await expect(open('')).rejects.toThrow(/missing/);
  });

  it('joins data sets, with labels only where classes agree', async () => {
    put('x/a/1.jpg', 'x/b/2.jpg', 'y/a/3.jpg', 'y/b/4.jpg', 'z/c/5.jpg');
    const same = await open('x,folder://y');
    expect(same.classes).toEqual(['a', 'b']);
    expect(names(same)).toEqual(['0/a/1.jpg', '0/b/2.jpg', '1/a/3.jpg', '1/b/4.jpg']);
    expect(labels(same)).toEqual([0, 1, 0, 1]);
    const different = await open('x,z');
    expect(different.classes).toBeUndefined();
    expect(labels(different)).toEqual([undefined, undefined, undefined]);
    expect(different.notes).toEqual([expect.stringContaining('different classes')]);
  });
});

describe('list', () => {
  it('reads paths relative to itself, with named or numbered classes', async () => {
    put('images/1.jpg', 'images/2.jpg', 'images/3.jpg');
    writeFileSync(join(folder, 'named.txt'), 'images/2.jpg\tdog\r\nimages/1.jpg\tcat\n\nimages/3.jpg\tdog\n');
    const named = await open('list://named.txt');
    expect(names(named)).toEqual(['images/2.jpg', 'images/1.jpg', 'images/3.jpg']);
    expect([named.classes, labels(named)]).toEqual([
      ['cat', 'dog'],
      [1, 0, 1],
    ]);
    writeFileSync(join(folder, 'numbers.txt'), `${join(folder, 'images/1.jpg')}\t2\nimages/2.jpg\t0`);
    const numbered = await open('list://numbers.txt');
    expect([numbered.classes, labels(numbered)]).toEqual([
      ['0', '1', '2'],
      [2, 0],
    ]);
    writeFileSync(join(folder, 'plain.txt'), 'images/1.jpg\n');
    expect((await open('list://plain.txt')).classes).toBeUndefined();
  });

  it('lists missing images and lines without labels', async () => {
    put('1.jpg', '2.jpg');
    writeFileSync(join(folder, 'list.txt'), '1.jpg\nno.jpg\n2.jpg\nnope.jpg\n');
    await expect(open('list://list.txt')).rejects.toThrow(/2 images .*\n {2}line 2: no.jpg\n {2}line 4: nope.jpg/);
    writeFileSync(join(folder, 'half.txt'), '1.jpg\tcat\n2.jpg\n');
    await expect(open('list://half.txt')).rejects.toThrow(/1 of 2 have none, on lines 2/);
    await expect(open('list://absent.txt')).rejects.toThrow(/cannot be read/);
  });
});

describe('tar', () => {
  const long = `${'very-long-folder-name-'.repeat(6)}/${'ä-long-file-name-'.repeat(10)}`;

  async function shard(name: string, files: string[], options: object = {}): Promise<void> {
    put(...files);
    await create({ file: join(folder, name), cwd: folder, ...options }, files);
  }

  it('finds images, labels and long names in several shards, and their bytes', async () => {
    await shard('000.tar', ['b/1.jpg', 'b/1.txt', `${long}.png`]);
    await shard('001.tar', ['c.seg.png', 'c.webp', '.hidden.jpg']);
    const dataset = await open('tar://{000..001}.tar');
    expect(names(dataset)).toEqual(['000.tar/b/1.jpg', `000.tar/${long}.png`, '001.tar/c.webp']);
    for (const { image } of items(dataset)) {
      if (image.kind !== 'range') throw new Error(image.kind);
      expect(readRange(image.path, image.offset, image.length).toString()).toBe(`contents of ${image.name}`);
    }
    expect((await open('tar://*.tar')).fingerprint).toBe(dataset.fingerprint);
    await expect(open('tar://{000..003}.tar')).rejects.toThrow(/002\.tar, .*003\.tar/);
  });

  it('takes classes from .cls, when every image has one', async () => {
    writeFileSync(join(folder, 'x.cls'), '2\n');
    writeFileSync(join(folder, 'y.cls'), '0');
    put('x.jpg', 'y.jpg', 'z.jpg');
    await create({ file: join(folder, 'all.tar'), cwd: folder }, ['x.jpg', 'x.cls', 'y.cls', 'y.jpg']);
    const dataset = await open('tar://all.tar');
    expect([dataset.classes, labels(dataset)]).toEqual([
      ['0', '1', '2'],
      [2, 0],
    ]);
    await create({ file: join(folder, 'some.tar'), cwd: folder }, ['x.jpg', 'x.cls', 'z.jpg']);
    const some = await open('tar://some.tar');
    expect(some.classes).toBeUndefined();
    expect(some.notes).toEqual([expect.stringContaining('1 images have none')]);
  });

  it('refuses damaged archives by name', async () => {
    await shard('good.tar', ['a.jpg', 'b.jpg']);
    await shard('small.tgz', ['a.jpg'], { gzip: true });
    await expect(open('tar://small.tgz')).rejects.toThrow(/small\.tgz/);
    writeFileSync(join(folder, 'text.tar'), 'x'.repeat(2000));
    await expect(open('tar://text.tar')).rejects.toThrow(/not a tar archive/);
    truncateSync(join(folder, 'good.tar'), 1024 + 512 + 5);
    await expect(open('tar://good.tar')).rejects.toThrow(/truncated in b\.jpg/);
    // Base 256: -512, which would lead back to the same header for ever, and a number that is none.
    for (const size of [Buffer.from(`${'f'.repeat(20)}fe00`, 'hex'), Buffer.from(`81${'0'.repeat(22)}`, 'hex')]) {
      await shard('size.tar', ['a.jpg']);
      const bytes = readFileSync(join(folder, 'size.tar'));
      size.copy(bytes, 124);
      bytes.fill(' ', 148, 156);
      const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
      bytes.write(`${sum.toString(8).padStart(6, '0')}\0`, 148, 'latin1');
      writeFileSync(join(folder, 'size.tar'), bytes);
      await expect(open('tar://size.tar')).rejects.toThrow(DataError);
    }
    await shard('texts.tar', ['a.txt']);
    await expect(open('tar://texts.tar')).rejects.toThrow(/should hold images/);
  });
});

describe('parquet', () => {
  const fixture = fileURLToPath(new URL('../../fixtures/images.parquet', import.meta.url));

  it('reads rows, labels and the class names of the hub', async () => {
    const dataset = await open(`parquet://${fixture}?image=image.bytes&label=label`);
    expect([dataset.size, dataset.classes]).toEqual([12, ['ant', 'bee', 'cat']]);
    expect(labels(dataset)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
    expect(dataset.item(7)).toMatchObject({
      name: 'images.parquet#7',
      image: { row: 7, column: 'image.bytes' },
    });
  });

  it('names the columns there are', async () => {
    await expect(open(`parquet://${fixture}?image=img&label=class`)).rejects.toThrow(
      /no column img, class; it has image\.bytes, image\.path, label/,
    );
    put('no.parquet');
    await expect(open('parquet://no.parquet')).rejects.toThrow(/should be a parquet file/);
  });

  it('refuses damaged files by name', async () => {
    const bytes = readFileSync(fixture);
    bytes.fill(0xff, 4, 300);
    writeFileSync(join(folder, 'damaged.parquet'), bytes);
    const dataset = await open('parquet://damaged.parquet');
    await expect(decodeImage(dataset.item(0).image)).rejects.toThrow(/damaged\.parquet is damaged in rows 0 to/);
    await expect(decodeImage(dataset.item(0).image)).rejects.toThrow(DataError);
  });

  it('refuses pages without a length, where it would read for ever', async () => {
    const bytes = readFileSync(fixture);
    // A page of labels: the field of its length is gone, and it has no values.
    bytes.set([0x15, 0x80, 0x80, 0x00, 0x15, 0x14, 0x3c, 0x15, 0x00], 539);
    writeFileSync(join(folder, 'endless.parquet'), bytes);
    await expect(open('parquet://endless.parquet?label=label')).rejects.toThrow(/column label: a page has no length/);
  });
});

describe('segmentation', () => {
  it('pairs images and labels by stem', async () => {
    put(
      'images/train/a/1.jpg',
      'images/train/2.png',
      'labels/train/a/1.png',
      'labels/train/2.png',
      'labels/train/3.png',
    );
    writeFileSync(join(folder, 'classes.txt'), '0\tgrass\n2\tcow\n');
    const spec = 'segmentation://.?images=images/train&labels=labels/train';
    const dataset = await open(`${spec}&ignore=255&ignore=0,7`);
    expect(names(dataset)).toEqual(['2.png', 'a/1.jpg']);
    expect(dataset.item(1).pixels).toEqual({ kind: 'file', path: join(folder, 'labels/train/a/1.png') });
    expect(dataset.ignoreLabels).toEqual([255, 0, 7]);
    expect(dataset.pixelClasses).toEqual(['grass', '1', 'cow']);
    expect(dataset.notes).toEqual(['1 label files have no image']);
    await expect(open(`${spec}&ignore=256`)).rejects.toThrow(/0 to 255/);
  });

  it('lists missing label files', async () => {
    put('images/1.jpg', 'images/2.jpg', 'images/3.jpg', 'labels/2.png');
    await expect(open('segmentation://.')).rejects.toThrow(
      /2 of 3 images .*\n {2}1\.jpg -> 1\.png\n {2}3\.jpg -> 3\.png/,
    );
    await expect(open('segmentation://.?labels=masks')).rejects.toThrow(/masks .*does not exist/);
  });
});

describe('scenes', () => {
  it('have labels and pixel labels, and nothing on disk', async () => {
    const dataset = await open('scenes://?split=val&count=5&size=32&seed=3');
    expect(dataset.size).toBe(5);
    expect(dataset.item(4)).toMatchObject({
      image: { kind: 'scene', seed: 3, split: 'val', index: 4, size: 32 },
      pixels: { kind: 'scene' },
    });
    for (const label of labels(dataset)) expect(dataset.classes![label!]).toBeDefined();
    expect((await open('scenes://?split=val&count=5&size=32&seed=4')).fingerprint).not.toBe(dataset.fingerprint);
  });
});
