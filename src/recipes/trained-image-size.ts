import { readFileSync } from 'node:fs';
import { readConfigLeaves } from '../config/config-yaml.js';
import { RunFolder } from '../runs/run-folder.js';

/** Side of the images that a run was trained on, in pixels; undefined where `model` is no run folder. */
export function trainedImageSize(model: string): number | undefined {
  if (!RunFolder.isRun(model)) return undefined;
  const leaves = readConfigLeaves(readFileSync(RunFolder.open(model).config, 'utf8'));
  const size = leaves.find(({ key }) => key === 'data.imageSize')?.value;
  return typeof size === 'number' ? size : undefined;
}
