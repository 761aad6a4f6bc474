import { expect, test } from 'vitest';
import { listHeads } from '../../../../src/methods/mim-refiner/head-list.js';
import { judgeRefiner } from '../../../../src/methods/mim-refiner/health.js';
import { refinerRecipe } from '../../../../src/methods/mim-refiner/refiner-config.js';

const heads = listHeads(refinerRecipe.parse({ method: 'mim-refiner', heads: { on: ['last', 3] } }));
const good = { 'alignment.last': 0.4, 'alignment.block3': 0.6, queueFilled: 1, gradientNorm: 2 };

test('a run as it should be is healthy, with figures', () => {
  expect(judgeRefiner(good, 'refine', heads)).toEqual({
    healthy: true,
    text: 'healthy: encoder and heads learn, alignment 0.40 to 0.60, queue 100 % filled, gradient norm 2.0',
  });
});

test('the first stage says that the encoder does not change, and may fill the queue', () => {
  const { healthy, text } = judgeRefiner({ ...good, queueFilled: 0.25 }, 'heads', heads);
  expect(healthy).toBe(true);
  expect(text).toContain('the encoder does not change in this stage');
  expect(text).toContain('queue 25 % filled');
});

test.each([
  ['a temperature too low for the batch', { 'alignment.block3': 0.99 }, /head block3 tells nearly all .*too low/],
  ['a queue that was not turned over', { queueFilled: 0.5 }, /queue has not turned over yet \(50 % filled\)/],
  ['large gradients', { gradientNorm: 5000 }, /gradients are very large/],
])('%s is a warning of the second stage', (_, change, pattern) => {
  const { healthy, text } = judgeRefiner({ ...good, ...change }, 'refine', heads);
  expect(healthy).toBe(false);
  expect(text).toMatch(/^look closer: /);
  expect(text).toMatch(pattern);
});
