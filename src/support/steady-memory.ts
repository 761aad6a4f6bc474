import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/**
 * Collects all garbage of JavaScript now (5 to 40 ms). A training loop makes thousands of small objects a step; left alone,
 * V8 lets its heap grow by tens of megabytes before it looks.
 */
export function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}

/** Keeps the nursery of JavaScript objects at a megabyte for the rest of the process. */
export function boundNursery(): void {
  setFlagsFromString('--max-semi-space-size=1');
  setFlagsFromString('--semi-space-growth-factor=1');
}
