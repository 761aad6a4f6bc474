import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { benchKnn } from '../../../src/cli/actions/bench-knn.js';
import { UsageError } from '../../../src/support/errors.js';
import { liveTensors } from '../../../src/tensor/tensor.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const sizes = { rows: 300, width: 8, k: 5, threads: 1, rounds: 1 };
type Found = Record<'cosine' | 'L2', { seconds: number; sklearn?: { ratio: number; agreement: number } }>;

describe('bench knn', () => {
  it('times both metrics and says what a chunk takes', async () => {
    const before = liveTensors().tensors;
    const { json, card } = await benchKnn({ ...sizes, python: undefined });
    expect(json).toMatchObject({ rows: 300, k: 5, chunkBytes: 4 * 4096 * (1024 + 8) });
    expect((json as Found).L2.seconds).toBeGreaterThan(0);
    expect((json as Found).cosine.sklearn).toBeUndefined();
    expect(card).toMatch(/chunk/);
    expect(liveTensors().tensors).toBe(before);
  });

  it('compares with what the Python found', async () => {
    // Stands in for a Python with scikit-learn: finds the rows 0 to 4 for every query, in ten seconds.
    const python = join(temporaryFolder(), 'python');
    const words = Buffer.from(Int32Array.from({ length: 300 * 5 }, (_, i) => i % 5).buffer).toString('base64');
    const answer = '{"seconds": 10, "cpuSeconds": 20, "version": "0"}';
    writeFileSync(python, `#!/bin/sh\necho ${words} | base64 -d > "$2/neighbours.i32"\necho '${answer}'\n`);
    chmodSync(python, 0o755);
    const { cosine } = (await benchKnn({ ...sizes, python })).json as Found;
    expect(cosine.sklearn!.ratio).toBeCloseTo(10 / cosine.seconds, 6);
    expect(cosine.sklearn!.agreement).toBeLessThan(0.2);
  });

  it('refuses a Python that does not run', async () => {
    await expect(benchKnn({ ...sizes, python: '/no/such/python' })).rejects.toThrow(UsageError);
  });
});
