import { expect, test } from 'vitest';
import { Progress, type ProgressStream } from '../../../src/support/progress.js';

function recorder(isTTY: boolean, columns = 200): ProgressStream & { written: string[] } {
  const written: string[] = [];
  return { isTTY, columns, written, write: (text) => written.push(text) };
}

test('away from a terminal there is a line at the start, about every ten seconds, and at the end', () => {
  const stream = recorder(false);
  let now = 0;
  const progress = new Progress('training', 100, { stream, clock: () => now, unit: 'steps' });
  for (let step = 1; step <= 100; step++) {
    now += 250;
    progress.update(step, `loss ${step}`);
  }
  progress.finish();
  progress.update(7);
  expect(stream.written).toEqual([
    'training 0/100 (0 %)\n',
    'training 40/100 (40 %) · 4 steps/s · 15 s left · loss 40\n',
    'training 80/100 (80 %) · 4 steps/s · 5.0 s left · loss 80\n',
    'training 100/100 (100 %) · took 25 s · loss 100\n',
  ]);
});

test('rate and time left of a resumed run leave out what was done before', () => {
  const stream = recorder(false);
  let now = 0;
  const progress = new Progress('training', 2000, { stream, clock: () => now, start: 1000 });
  now = 10_000;
  progress.update(1010);
  expect(stream.written[1]).toBe('training 1010/2000 (50 %) · 1/s · 16 min 30 s left\n');
});

test('on a terminal one line redraws itself, never wider than the window, and other lines go above it', () => {
  const stream = recorder(true, 40);
  let now = 0;
  const progress = new Progress('training', 10, { stream, clock: () => now });
  now = 50;
  progress.update(1);
  expect(stream.written).toHaveLength(1);
  now = 5000;
  progress.update(5, 'a long note that does not fit');
  progress.line('checkpoint saved');
  progress.finish();
  const [, drawn, line, redrawn, last] = stream.written;
  expect(drawn).toContain(`\r\x1b[Ktraining ${'█'.repeat(12)}${'░'.repeat(12)} 5`);
  expect(drawn!.length - '\r\x1b[K'.length).toBe(39);
  expect(line).toBe('\r\x1b[Kcheckpoint saved\n');
  expect(redrawn).toBe(drawn);
  expect(last).toBe('\r\x1b[Ktraining 5/10 (50 %) · took 5.0 s · a long note that does not fit\n');
});
