import type { Command } from 'commander';
import { register as attention } from './attention.js';
import { register as clusters } from './clusters.js';
import { register as curves } from './curves.js';
import { register as dictionary } from './dictionary.js';
import { register as masks } from './masks.js';
import { register as neighbours } from './neighbours.js';
import { register as pca } from './pca.js';
import { register as reconstruction } from './reconstruction.js';
import { register as similarity } from './similarity.js';

/** `tessera visualise`. */
export function register(program: Command): void {
  const visualise = program.command('visualise').description('draw what an encoder sees and how a run went');
  const pictures = [pca, clusters, dictionary, similarity, attention, neighbours, masks, reconstruction, curves];
  for (const picture of pictures) picture(visualise);
}
