import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { DataError } from '../support/errors.js';
import type { Decoded, Failure, Job, Report, Task, WorkerSettings } from './worker.js';

/** How tasks went: which failed, and the whole images where these are kept. */
interface Outcome {
  failures: Failure[];
  decoded: Decoded[];
}

interface Running extends Outcome {
  missing: number;
  resolve(outcome: Outcome): void;
  reject(error: Error): void;
}

/** Threads that decode images into shared memory. */
export class DecodingPool {
  readonly #workers: Worker[];
  readonly #running = new Map<number, Running>();
  #failed: Error | undefined;
  #jobs = 0;

  /** @throws DataError when the compiled worker is missing (the sources alone cannot be loaded in a thread). */
  constructor(size: number, settings: WorkerSettings) {
    const url = workerUrl();
    this.#workers = Array.from({ length: size }, () => {
      // Options of the process, such as --input-type or --inspect, are not for the threads.
      const worker = new Worker(url, { workerData: settings, execArgv: [] });
      worker.on('message', (report: Report) => this.#collect(report));
      worker.on('error', (error) => this.#fail(error));
      worker.on('exit', (code) => this.#fail(new Error(`it ended with code ${code}`)));
      worker.unref();
      return worker;
    });
  }

  /** Posts the tasks to the threads at once, and says how they went when all are done. */
  run(tasks: readonly Task[], images: SharedArrayBuffer, pixels?: SharedArrayBuffer): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      if (this.#failed) return reject(this.#failed);
      const job: Job = { id: this.#jobs++, tasks, claim: new SharedArrayBuffer(4), images };
      if (pixels !== undefined) job.pixels = pixels;
      this.#running.set(job.id, { missing: tasks.length, failures: [], decoded: [], resolve, reject });
      for (const worker of this.#workers) worker.postMessage(job);
    });
  }

  /** While `waiting`, the threads keep the process alive; otherwise they do not. */
  hold(waiting: boolean): void {
    for (const worker of this.#workers) waiting ? worker.ref() : worker.unref();
  }

  /** Ends the threads; what still runs is rejected. */
  async close(): Promise<void> {
    this.#stop(new DataError('The loader is closed: no more images can be taken from it.'));
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #collect(report: Report): void {
    const running = this.#running.get(report.id);
    if (running === undefined) return;
    running.failures.push(...report.failures);
    running.decoded.push(...report.decoded);
    running.missing -= report.done;
    if (running.missing > 0) return;
    this.#running.delete(report.id);
    running.resolve({ failures: running.failures, decoded: running.decoded });
  }

  #fail(cause: Error): void {
    this.#stop(
      new DataError(`A decoding worker stopped: ${cause.message}.`, {
        hint: 'If memory ran out, use fewer workers (data.workers) or smaller images.',
        cause,
      }),
    );
  }

  #stop(error: Error): void {
    if (this.#failed) return;
    this.#failed = error;
    for (const running of this.#running.values()) running.reject(error);
    this.#running.clear();
  }
}

/** The compiled worker; a thread cannot load TypeScript, so the sources (under vitest) use the one in dist. */
function workerUrl(): URL {
  const here = import.meta.url;
  const url = new URL(here.endsWith('.ts') ? '../../dist/data/worker.js' : './worker.js', here);
  if (!existsSync(url)) {
    throw new DataError(`The decoding worker ${fileURLToPath(url)} does not exist.`, {
      hint: 'Run `npm run build`.',
    });
  }
  return url;
}
