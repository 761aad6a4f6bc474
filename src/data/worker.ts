import { parentPort, workerData } from 'node:worker_threads';
import { Random } from '../support/random.js';
import { boundNursery, collectGarbage } from '../support/steady-memory.js';
import { drawAugmentation } from './augment.js';
import type { ImageSource, LabelSource } from './dataset.js';
import { decodeImage, decodeLabels } from './decode.js';
import { type NativeImages, PictureMemory, resample, useNativeImages } from './native-images.js';
import type { SharedRaster } from './pixel-cache.js';
import { applyPixelOperation } from './pixel-operations.js';
import { type Geometry, type Raster, resampleNearest } from './resample.js';
import { type View, viewGeometry } from './views.js';

/** What a worker is told once. */
export interface WorkerSettings {
  views: readonly View[];
  seed: number;
  /** What decodes and resizes fast, where it is set up. */
  native: NativeImages | undefined;
  /** Report what was decoded, so that it is decoded once. */
  keep: boolean;
}

/** One sample to decode into place `slot` of the batch. `position` is its place in the whole stream. */
export interface Task {
  slot: number;
  position: number;
  image: ImageSource;
  /** The image's pixels, where they are kept from an earlier use. */
  decoded?: SharedRaster;
  labels?: LabelSource;
}

/**
 * Part of a batch, sent to every worker. The workers share `tasks` through `claim`, a counter of tasks taken, so that a
 * worker with small images takes more of them, without the main thread, which may be busy for seconds.
 */
export interface Job {
  id: number;
  tasks: readonly Task[];
  claim: SharedArrayBuffer;
  /** The samples one after another; each holds its views one after another, (size, size, 3) bytes. */
  images: SharedArrayBuffer;
  /** (first view's size)^2 bytes per sample, where pixel labels are wanted. */
  pixels?: SharedArrayBuffer;
}

/** Sent when a worker finds no more task of a job to take. */
export interface Report {
  id: number;
  done: number;
  failures: Failure[];
  decoded: Decoded[];
}

/** The whole image of a sample, where images are kept. */
export interface Decoded {
  slot: number;
  image: SharedRaster;
}

/** A sample that could not be made, and why. */
export interface Failure {
  slot: number;
  reason: string;
}

/** Separates the random numbers of crops from those of other users of the same seed: "crop". */
const CROP_STREAM = 0x63726f70;

const { views, seed, native, keep } = workerData as WorkerSettings;
useNativeImages(native);
const memory = new PictureMemory();
const viewBytes = views.map((view) => view.size * view.size * 3);
const sampleBytes = viewBytes.reduce((sum, bytes) => sum + bytes, 0);

/** Images decoded between two collections of garbage: decoded pictures are large, and V8 alone would let hundreds pile up. */
const GARBAGE_EVERY = 256;
let decoded = 0;
boundNursery();

let queue = Promise.resolve();
parentPort?.on('message', (job: Job) => {
  queue = queue.then(() => work(job));
});

async function work(job: Job): Promise<void> {
  const claim = new Int32Array(job.claim);
  const report: Report = { id: job.id, done: 0, failures: [], decoded: [] };
  for (;;) {
    const task = job.tasks[Atomics.add(claim, 0, 1)];
    if (task === undefined) break;
    try {
      const image = task.decoded ? rasterOf(task.decoded) : await decodeImage(task.image, memory);
      if (keep && !task.decoded) report.decoded.push({ slot: task.slot, image: shared(image) });
      fill(job, task, image);
    } catch (error) {
      report.failures.push({
        slot: task.slot,
        reason: error instanceof Error ? error.message : String(error),
      });
    }
    report.done++;
    if (!task.decoded && ++decoded % GARBAGE_EVERY === 0) collectGarbage();
  }
  parentPort?.postMessage(report);
}

function rasterOf({ pixels, width, height }: SharedRaster): Raster {
  return { data: new Uint8Array(pixels), width, height };
}

function shared({ data, width, height }: Raster): SharedRaster {
  const pixels = new SharedArrayBuffer(data.length);
  new Uint8Array(pixels).set(data);
  return { pixels, width, height };
}

/** Fills `output` with a view of the image. */
function cut(image: Raster, view: View, random: Random, output: Uint8Array): Geometry {
  const geometry = viewGeometry(view, image.width, image.height, random);
  resample(image, geometry, output);
  if (view.kind === 'random-resized-crop' && view.augment !== undefined) {
    for (const operation of drawAugmentation(view.augment, random)) applyPixelOperation(output, view.size, operation);
  }
  return geometry;
}

function fill(job: Job, task: Task, image: Raster): void {
  let first: Geometry | undefined;
  let at = task.slot * sampleBytes;
  views.forEach((view, i) => {
    // Every view has its own stream: what one of them draws does not move the others. The first one's has no number.
    const random = Random.from(seed, task.position, CROP_STREAM, ...(i === 0 ? [] : [i]));
    const geometry = cut(image, view, random, new Uint8Array(job.images, at, viewBytes[i]!));
    first ??= geometry;
    at += viewBytes[i]!;
  });
  if (job.pixels === undefined || first === undefined) return;
  if (task.labels === undefined) throw new Error('the item has no pixel labels');
  const labels = decodeLabels(task.labels);
  if (labels.width !== image.width || labels.height !== image.height) {
    throw new Error(
      `the label map is ${labels.width} x ${labels.height} pixels, the image ${image.width} x ${image.height}`,
    );
  }
  const area = first.window.width * first.window.height;
  resampleNearest(labels, first, new Uint8Array(job.pixels, task.slot * area, area));
}
