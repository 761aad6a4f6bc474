import { Progress } from '../../support/progress.js';

/** A bar for each stage of an evaluation, one after another. */
export function stagedProgress(prefix = '') {
  let shown: { stage: string; progress: Progress } | undefined;
  return {
    update(stage: string, done: number, total: number, unit: string, note?: string) {
      if (shown?.stage !== stage) {
        shown?.progress.finish();
        shown = { stage, progress: new Progress(`${prefix}${stage}`, total, { unit }) };
      }
      shown.progress.update(done, note);
    },
    [Symbol.dispose]: () => shown?.progress.finish(),
  };
}
