import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readConfigLeaves } from '../../config/config-yaml.js';
import { openDataset } from '../../data/spec.js';
import { engine } from '../../engine/addon.js';
import { loadEncoder } from '../../models/load-encoder.js';
import { RunFolder } from '../../runs/run-folder.js';
import { UsageError } from '../../support/errors.js';
import { drawPcaSheet, type ShownEncoder } from '../../visualise/pca-sheet.js';
import { sampleImages } from '../../visualise/sample-images.js';
import type { CommandResult } from '../output.js';
import { writePicture } from './write-picture.js';

/** The checked options of `tessera visualise pca`. */
export type VisualisePcaOptions = {
  readonly model: string;
  /** Also show the untrained encoder of the same sizes. */
  readonly withFloor: boolean;
  readonly data: string;
  /** `images/pca.png` of the run unless given; `pca.png` where the model is not a run. */
  readonly out: string | undefined;
  readonly count: number | undefined;
  readonly weights: 'student' | 'teacher';
  readonly size: number | undefined;
  readonly device: string | undefined;
  readonly threads: number | undefined;
};

/** `tessera visualise pca`: JSON with `out`, `images` and `size`. */
export async function visualisePca(options: VisualisePcaOptions): Promise<CommandResult> {
  const { model, withFloor, weights, device = 'cpu', count = 8 } = options;
  if (withFloor && model.startsWith('random:')) {
    throw new UsageError(`--with-floor: expected a trained encoder to compare with, received ${model}`);
  }
  if (options.threads !== undefined) engine().setThreads(options.threads);
  const run = RunFolder.isRun(model) ? RunFolder.open(model) : undefined;
  const dataset = await openDataset(options.data);
  const encoders: ShownEncoder[] = [];
  try {
    const name = withFloor ? 'Trained' : (run?.name ?? model);
    encoders.push({ name, encoder: await loadEncoder(model, { weights, device }) });
    if (withFloor) {
      encoders.push({ name: 'Untrained', encoder: await loadEncoder(`random:${model}`, { device }) });
    }
    const size = options.size ?? trainedSize(run) ?? 224;
    checkSize(size, model, encoders[0]!.encoder.patchSize);
    const view = { kind: 'resize-centre-crop', resize: size, size } as const;
    const images = await sampleImages(dataset, view, { count });
    const png = await drawPcaSheet(images, encoders, device);
    const out = options.out ?? join(run?.images ?? '.', 'pca.png');
    const facts = [['images', `${images.length} of ${size} x ${size} pixels`]] as const;
    return writePicture(out, png, facts, { images: images.length, size });
  } finally {
    for (const { encoder } of encoders) encoder.dispose();
  }
}

/** Side of the images that a run was trained on. */
function trainedSize(run: RunFolder | undefined): number | undefined {
  if (run === undefined) return undefined;
  const leaf = readConfigLeaves(readFileSync(run.config, 'utf8')).find(({ key }) => key === 'data.imageSize');
  return typeof leaf?.value === 'number' ? leaf.value : undefined;
}

function checkSize(size: number, name: string, patchSize: number): void {
  if (size % patchSize === 0) return;
  const near = Math.max(1, Math.round(size / patchSize)) * patchSize;
  throw new UsageError(
    `images of ${size} pixels do not fit ${name}: expected a multiple of its patch size ${patchSize}`,
    {
      hint: `Give --size ${near}.`,
    },
  );
}
