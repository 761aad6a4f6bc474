import { expect, test } from 'vitest';
import { byteText } from '../../../src/support/byte-text.js';
import { durationText } from '../../../src/support/duration-text.js';
import { editDistance, nearestName } from '../../../src/support/nearest-name.js';
import { numberText } from '../../../src/support/number-text.js';
import { tableText } from '../../../src/support/table-text.js';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1 kB'],
  [1536, '1.54 kB'],
  [999_950, '1 MB'],
  [3_240_000_000, '3.24 GB'],
  [5e15, '5000 TB'],
])('%d bytes are %s', (bytes, text) => expect(byteText(bytes)).toBe(text));

test.each([
  [0.84, '0.8 s'],
  [9.96, '10 s'],
  [59.6, '1 min 00 s'],
  [185, '3 min 05 s'],
  [3599.7, '1 h 00 min'],
  [7620, '2 h 07 min'],
  [86_399, '1 d 00 h'],
  [273_600, '3 d 04 h'],
  [Number.POSITIVE_INFINITY, '?'],
])('%d seconds are %s', (seconds, text) => expect(durationText(seconds)).toBe(text));

test.each([
  [3.71234, '3.712'],
  [12345.6, '12346'],
  [5000, '5000'],
  [0.00123456, '0.001235'],
  [4.1e-7, '4.1e-7'],
  [Number.NaN, 'NaN'],
])('%d reads %s', (value, text) => expect(numberText(value)).toBe(text));

test('tables line up, numbers to the right', () => {
  expect(
    tableText(
      ['run', 'loss'],
      [
        ['first', '3.7'],
        ['b', '12.25'],
      ],
    ),
  ).toBe('run     loss\nfirst    3.7\nb      12.25');
});

test.each([
  ['', 'abc', 3],
  ['kitten', 'sitting', 3],
  ['lr', 'rl', 1],
  ['same', 'same', 0],
])('%s is %s after %d edits', (from, to, edits) => {
  expect(editDistance(from, to)).toBe(edits);
  expect(editDistance(to, from)).toBe(edits);
});

test('the nearest name is found, a far one is not', () => {
  const names = ['logEvery', 'checkpointEvery', 'lr'];
  expect(nearestName('log_every', names)).toBe('logEvery');
  expect(nearestName('checkpiontEvery', names)).toBe('checkpointEvery');
  expect(nearestName('rl', names)).toBe('lr');
  expect(nearestName('banana', names)).toBeUndefined();
  expect(nearestName('ab', ['cd'])).toBeUndefined();
});
