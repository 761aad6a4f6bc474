import { defineConfig } from 'vitest/config';

/** Limits in milliseconds. The engine's tests train small networks, those of the command line whole runs. */
const minute = 60_000;

export default defineConfig({
  test: {
    // Two cores are the machine that this has to pass on.
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'pure',
          include: ['tests/pure/**/*.test.ts'],
          testTimeout: 20_000,
          hookTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'engine',
          include: ['tests/engine/**/*.test.ts'],
          // A process per file, one after the other: an addon is loaded once per process, and libtorch uses all cores.
          pool: 'forks',
          fileParallelism: false,
          // Networks of tests are too small for two threads, which on a busy machine wait for each other.
          env: { OMP_NUM_THREADS: '1' },
          testTimeout: 2 * minute,
          hookTimeout: 2 * minute,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 10 * minute,
          hookTimeout: 10 * minute,
        },
      },
    ],
  },
});
