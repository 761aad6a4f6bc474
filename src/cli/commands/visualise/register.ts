import type { Command } from 'commander';
import { register as curves } from './curves.js';
import { register as masks } from './masks.js';
import { register as pca } from './pca.js';
import { register as reconstruction } from './reconstruction.js';

/** `tessera visualise`. */
export function register(program: Command): void {
  const visualise = program.command('visualise').description('draw what an encoder sees and how a run went');
  for (const picture of [pca, masks, reconstruction, curves]) picture(visualise);
}
