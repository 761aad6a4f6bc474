/** Damages files: at random, and so that checksums and lengths fit again and readers get to what lies behind them. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';

const { StoredZipWriter } = await import('../../dist/models/torch-file/stored-zip.js');

/** Places near the beginning and the end hold what a file says of itself. */
const EDGE = 2048;
const NUMBERS = [
  0n,
  1n,
  2n,
  0x7fn,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  1n << 53n,
  (1n << 63n) - 1n,
  (1n << 64n) - 1n,
];
const WORDS = [
  '0',
  '-1',
  '1e9',
  '4294967296',
  '9007199254740993',
  '1e400',
  'null',
  '[]',
  '{}',
  '"../../x"',
  '"\\u0000"',
  'true',
];

const changes = {
  bits(random, bytes) {
    const changed = Buffer.from(bytes);
    for (let i = random.integer(1, 8); i > 0; i--) changed[placeIn(random, bytes)] ^= 1 << random.integer(0, 7);
    return changed;
  },
  bytes(random, bytes) {
    const changed = Buffer.from(bytes);
    const start = placeIn(random, bytes);
    const fill = random.pick([0, 0xff, undefined]);
    for (let i = start; i < Math.min(bytes.length, start + random.integer(1, 64)); i++)
      changed[i] = fill ?? random.integer(0, 255);
    return changed;
  },
  number(random, bytes) {
    const changed = Buffer.from(bytes);
    const width = random.pick([1, 2, 4, 4, 8]);
    const value = Buffer.alloc(8);
    value.writeBigUInt64LE(random.pick(NUMBERS));
    const part = value.subarray(0, width);
    (random.integer(0, 1) ? part.reverse() : part).copy(changed, placeIn(random, bytes));
    return changed;
  },
  end: (random, bytes) => bytes.subarray(0, placeIn(random, bytes)),
  gap(random, bytes) {
    const start = placeIn(random, bytes);
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + random.integer(1, 200))]);
  },
  repeat(random, bytes) {
    const start = placeIn(random, bytes);
    const part = bytes.subarray(start, start + random.integer(1, 200));
    return Buffer.concat([
      bytes.subarray(0, start),
      ...Array(random.pick([1, 2, 100])).fill(part),
      bytes.subarray(start),
    ]);
  },
  foreign(random, bytes, other) {
    const from = placeIn(random, other);
    const part = other.subarray(from, from + random.integer(1, 300));
    const start = placeIn(random, bytes);
    return Buffer.concat([bytes.subarray(0, start), part, bytes.subarray(start + random.pick([0, part.length]))]);
  },
};

/** A place where something can be changed: half of the time near an end. */
function placeIn(random, bytes) {
  const last = Math.max(0, bytes.length - 1);
  const near = random.integer(0, Math.min(EDGE, last));
  return random.pick([near, last - near, random.integer(0, last), random.integer(0, last)]);
}

function damaged(random, bytes, other) {
  let changed = bytes;
  for (let i = random.pick([1, 1, 2, 4]); i > 0; i--)
    changed = random.pick(Object.values(changes))(random, changed, other);
  return changed;
}

/** A text with numbers, values or names replaced. */
function damagedText(random, text) {
  const tokens = [...text.matchAll(/-?\d+(\.\d+)?|"[^"]*"|true|false|null/g)];
  if (tokens.length === 0) return text;
  let changed = text;
  for (const token of [random.pick(tokens), random.pick(tokens)].sort((a, b) => b.index - a.index))
    changed =
      changed.slice(0, token.index) +
      random.pick([...WORDS, random.pick(tokens)[0]]) +
      changed.slice(token.index + token[0].length);
  return changed;
}

/**
 * Files as damaged by a random choice.
 * @param {import('./seed-files.mjs').Seed} seed
 * @param {Buffer} other of which parts may be taken
 * @param {string} scratch a path for a while
 * @returns {ReadonlyMap<string, Buffer>}
 */
export function damageFile(random, { format, files }, other, scratch) {
  const repairs = { zip: damagedArchive, safetensors: damagedHeader, png: damagedPng, tar: damagedTar };
  if (format === 'run') return damagedRun(random, files, other);
  const bytes = files.get('');
  const repair = random.integer(0, 2) > 0 ? repairs[format] : undefined;
  return new Map([['', repair ? repair(random, bytes, other, scratch) : damaged(random, bytes, other)]]);
}

/** An archive with one record changed and its checksum computed again. */
function damagedArchive(random, bytes, other, scratch) {
  const records = recordsOf(bytes);
  const chosen =
    random.integer(0, 9) > 0
      ? records.findIndex(({ name }) => name.endsWith('/data.pkl'))
      : random.integer(0, records.length - 1);
  const file = openSync(scratch, 'w');
  try {
    const zip = new StoredZipWriter(file);
    for (const [index, { name, data }] of records.entries())
      zip.add(name, index === chosen ? damaged(random, data, other) : data);
    zip.finish();
  } finally {
    closeSync(file);
  }
  return readFileSync(scratch);
}

/** The records of a valid archive without compression, by its directory. */
function recordsOf(bytes) {
  const end = bytes.lastIndexOf('PK\x05\x06', undefined, 'latin1');
  const records = [];
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    const [size, nameLength, extra, comment] = [
      bytes.readUInt32LE(at + 24),
      ...[28, 30, 32].map((field) => bytes.readUInt16LE(at + field)),
    ];
    const header = bytes.readUInt32LE(at + 42);
    const start = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28);
    records.push({
      name: bytes.toString('latin1', at + 46, at + 46 + nameLength),
      data: bytes.subarray(start, start + size),
    });
    at += 46 + nameLength + extra + comment;
  }
  return records;
}

/** Safetensors with another header, whose length fits. */
function damagedHeader(random, bytes, other) {
  const end = 8 + Number(bytes.readBigUInt64LE());
  const header = bytes.subarray(8, end);
  const changed = random.integer(0, 1)
    ? Buffer.from(damagedText(random, header.toString('utf8')))
    : damaged(random, header, other);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(changed.length));
  return Buffer.concat([length, changed, bytes.subarray(end)]);
}

function damagedPng(random, bytes, other) {
  const changed = Buffer.from(damaged(random, bytes, other));
  for (let at = 8; at + 12 <= changed.length; ) {
    const end = at + 8 + changed.readUInt32BE(at);
    if (end + 4 > changed.length) break;
    changed.writeUInt32BE(crc32(changed.subarray(at + 4, end)), end);
    at = end + 4;
  }
  return changed;
}

/** A tar archive in which the checksums of all blocks that look like headers fit. */
function damagedTar(random, bytes, other) {
  const changed = Buffer.from(damaged(random, bytes, other));
  for (let at = 0; at + 512 <= changed.length; at += 512) {
    const block = changed.subarray(at, at + 512);
    if (block.toString('latin1', 257, 262) !== 'ustar') continue;
    block.fill(' ', 148, 156);
    block.write(
      `${block
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0`,
      148,
      'latin1',
    );
  }
  return changed;
}

/** A run with one of its files changed; mostly with the hash that fits it. */
function damagedRun(random, files, other) {
  const changed = new Map(files);
  const name = random.pick([...files.keys()]);
  const bytes = files.get(name);
  const text = /\.(json|yaml|jsonl)$/.test(name) && random.integer(0, 1);
  if (text) changed.set(name, Buffer.from(damagedText(random, bytes.toString('utf8'))));
  else
    changed.set(
      name,
      random.integer(0, 1) && name.endsWith('.safetensors')
        ? damagedHeader(random, bytes, other)
        : damaged(random, bytes, other),
    );
  const manifest = [...files.keys()].find((file) => file.endsWith('manifest.json'));
  if (name.endsWith('.safetensors') && random.integer(0, 3) > 0) {
    const described = JSON.parse(files.get(manifest).toString('utf8'));
    const data = changed.get(name);
    described.files[name.split('/').at(-1)] = {
      bytes: data.length,
      sha256: createHash('sha256').update(data).digest('hex'),
    };
    changed.set(manifest, Buffer.from(JSON.stringify(described)));
  }
  return changed;
}
