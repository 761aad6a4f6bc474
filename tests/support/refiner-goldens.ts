import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Tensor } from '../../src/tensor/tensor.js';
import { goldenJson, goldensFolder, goldenTensors } from './goldens.js';

/** A step of a published run, by head name. */
export interface GoldenStep {
  index: number[];
  cls: number[];
  heads: Record<string, { neighbour: number[]; similarity: number[] }>;
  lr: Record<string, number>;
  losses: Record<string, number>;
  infos: Record<string, number>;
  largest_gradient: Record<string, number>;
}

export interface GoldenStage {
  epochs: number;
  updates_per_epoch: number;
  batch: number;
  local_views: number;
  loss_functions: Record<string, { temperature: number }>;
  optimizer: Record<string, { lr_scale: number; weight_decay: number }>;
  steps: GoldenStep[];
}

interface QueueNotes {
  size: number;
  topk: number;
  calls: { train: boolean; metrics: { 'nn-similarity': number; 'nn-age': number[]; 'nn-accuracy': number[] } }[];
}

interface LossNotes {
  temperature: number;
  terms: number[];
  losses: Record<string, number>;
  infos: Record<string, number>;
  predicted_views_with_zero_gradient: number[];
}

export interface RefinerGolden {
  config: Record<string, number> & { id_heads: string };
  notes: {
    [queue: `queue.${string}`]: QueueNotes;
    [loss: `loss.${string}`]: LossNotes;
    head: LossNotes & { metrics: Record<string, number> };
    param_groups: {
      base_lr: number;
      batch: number;
      weight_decay: number;
      head_weight_decay: number;
      decay: number;
      depth: number;
      models: Record<string, Record<string, { lr_scale: number; lr: number; weight_decay: number }>>;
    };
    frozen_parameters: Record<string, string[]>;
    schedules: {
      template: string;
      end_epoch?: number;
      end_percent?: number;
      max_lr: number;
      total_updates: number;
      updates_per_epoch: number;
      values: Record<string, number>;
    }[];
    stage2: GoldenStage;
    stage3: GoldenStage;
    stage3_f64: GoldenStage;
    gradient_zero_in_exact_arithmetic: { parameters: string[] };
  };
}

// Ours holds the keys about heads and training of the whole set, which has the short name.
const name = ['refiner_tiny_heads', 'refiner_tiny'].find((file) => existsSync(join(goldensFolder, `${file}.json`)));
if (name === undefined) console.warn(`skipped: no refiner_tiny.json in ${goldensFolder}`);

/** Numbers of the published code on heads and training; undefined where the folder of goldens has none. */
export const refinerGolden = name === undefined ? undefined : goldenJson<RefinerGolden>(name);
export const refinerTensors = name === undefined ? new Map<string, Tensor>() : goldenTensors(name);

/** Our name of a head's tensor: `projector.1.0.weight` is `projector.layers.1.linear.weight`. */
export function ownHeadName(name: string): string {
  return name.replace(/^(projector|predictor)\.(\d)\.([01])\./, (_, part: string, layer: string, place: string) => {
    return `${part}.layers.${layer}.${place === '0' ? 'linear' : 'norm'}.`;
  });
}
