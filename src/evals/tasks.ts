import { blocks } from './blocks/blocks-task.js';
import { cluster } from './cluster/cluster-task.js';
import { knn } from './knn/knn-task.js';
import { lowshot } from './lowshot/lowshot-task.js';
import { attentive, linear } from './probe/probe-tasks.js';
import { segmentHead } from './segment/segment-head-task.js';
import { segmentKnn } from './segment/segment-knn-task.js';
import { segmentLinear } from './segment/segment-linear-task.js';
import type { Task } from './task.js';
import { unlabelled } from './unlabelled/unlabelled-task.js';

/** Every way to judge an encoder, in the order of `tessera eval --help`. */
export const tasks = [
  knn,
  linear,
  attentive,
  lowshot,
  segmentKnn,
  segmentLinear,
  segmentHead,
  cluster,
  blocks,
  unlabelled,
] as const;

type AnyTask = (typeof tasks)[number];
export type TaskName = AnyTask['name'];
/** The definition of a task, with its options. */
export type TaskOf<Name extends TaskName> = Extract<AnyTask, { readonly name: Name }>;

/** The task of that name, if there is one. */
export function findTask(name: string): Task | undefined {
  return (tasks as readonly Task[]).find((task) => task.name === name);
}
