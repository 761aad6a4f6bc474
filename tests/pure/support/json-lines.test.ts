import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { JsonLinesWriter, readJsonLines } from '../../../src/support/json-lines.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

function file(text: string): string {
  const path = join(temporaryFolder(), 'events.jsonl');
  writeFileSync(path, text);
  return path;
}

test('records come back in order', () => {
  const path = file('');
  const writer = new JsonLinesWriter(path);
  writer.append({ a: 1 });
  writer.append({ text: 'line\nend · é' });
  writer.close();
  expect(readJsonLines(path)).toEqual([{ a: 1 }, { text: 'line\nend · é' }]);
});

test('every cut of the file reads as the whole records before it', () => {
  const text = '{"a":1}\n{"b":"é"}\n{"c":[1,2]}\n';
  const bytes = Buffer.from(text);
  for (let length = 0; length <= bytes.length; length++) {
    const path = file('');
    writeFileSync(path, bytes.subarray(0, length));
    const records = readJsonLines(path);
    expect([{ a: 1 }, { b: 'é' }, { c: [1, 2] }].slice(0, records.length)).toEqual(records);
    const writer = new JsonLinesWriter(path);
    writer.append('next');
    writer.close();
    expect(readJsonLines(path)).toEqual([...records, 'next']);
  }
});

test('a torn line longer than the first look is cut off whole', () => {
  const path = file(`{"a":1}\n{"b":"${'x'.repeat(300_000)}`);
  new JsonLinesWriter(path).close();
  expect(readFileSync(path, 'utf8')).toBe('{"a":1}\n');
});

test('damage in the middle is an error with its line', () => {
  const path = file('{"a":1}\n{"b":\n{"c":3}\n');
  expect(() => readJsonLines(path)).toThrow(`${path}:2: expected one JSON document, received {"b":`);
});

test('a full disk is told as such', () => {
  const writer = new JsonLinesWriter('/dev/full');
  expect(() => writer.append({ a: 1 })).toThrow(/^cannot write \/dev\/full: the disk is full \(needs 8 B, /);
});
