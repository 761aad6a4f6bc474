import type { Command } from 'commander';
import { register as attention } from './attention.js';
import { register as clusters } from './clusters.js';
import { register as confusion } from './confusion.js';
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
  const ofEncoders = [pca, clusters, dictionary, similarity, attention, neighbours, confusion];
  for (const picture of [...ofEncoders, masks, reconstruction, curves]) picture(visualise);
}
