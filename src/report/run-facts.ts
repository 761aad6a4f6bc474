import { readFileSync } from 'node:fs';
import { type ConfigLeaf, readConfigLeaves } from '../config/config-yaml.js';
import { evaluationMetrics, metricsOf } from '../runs/event-log.js';
import type { EventOf, RunEvent } from '../runs/run-events.js';
import type { RunFolder } from '../runs/run-folder.js';
import { durationText } from '../support/duration-text.js';
import { lastResults } from './result-table.js';

/** A name and what belongs to it. */
export type Fact = readonly [name: string, value: string];

/** What the folder of a run says about it. */
export interface RunFacts {
  readonly leaves: readonly ConfigLeaf[];
  readonly metrics: readonly EventOf<'metrics'>[];
  /** The last judgements of the run's state, one of each kind. */
  readonly health: readonly EventOf<'health'>[];
  /** The last result of every evaluation. */
  readonly results: readonly EventOf<'evaluation'>[];
  /** What was trained, how large and for how long. */
  readonly training: readonly Fact[];
  /** Engine, machine, data and seed. */
  readonly origins: readonly Fact[];
  /** When it began, ISO 8601. */
  readonly begun: string | undefined;
}

/** Keys of the configuration that say most, with their names for people; those that a method lacks are left out. */
const configNames: Readonly<Record<string, string>> = {
  method: 'Method',
  'model.preset': 'Network',
  'model.width': 'Width',
  'model.depth': 'Blocks',
  'model.patchSize': 'Patch size',
  'data.imageSize': 'Image size',
  'mask.kind': 'Mask',
  'mask.ratio': 'Masked share',
  'capi.prototypes': 'Prototypes',
  'optim.batchSize': 'Images a step',
  'optim.lr': 'Peak learning rate',
};

/** What a report tells about a run. @param events those that count, see `liveEvents` */
export function readRunFacts(run: RunFolder, events: readonly RunEvent[]): RunFacts {
  const leaves = readConfigLeaves(readFileSync(run.config, 'utf8'));
  const begin = events.findLast((event) => event.type === 'start' || event.type === 'resume');
  const seed = leaves.find(({ key }) => key === 'seed');
  const checkpoint = run.latestCheckpoint();
  return {
    leaves,
    metrics: [...metricsOf(events), ...evaluationMetrics(events)],
    health: [...new Map(events.flatMap((event) => (event.type === 'health' ? [[event.check, event]] : []))).values()],
    results: lastResults(events),
    training: [...configFacts(leaves), ...progressFacts(events, leaves)],
    origins: [
      ...(seed === undefined ? [] : [['Seed', String(seed.value)] as const]),
      ...Object.entries(begin?.facts ?? {}).map(([name, value]) => [words(name), String(value)] as const),
      ...(checkpoint === undefined ? [] : [['Checkpoint', checkpoint.path] as const]),
      ['Run folder', run.path],
    ],
    begun: events[0]?.time,
  };
}

function configFacts(leaves: readonly ConfigLeaf[]): Fact[] {
  return Object.entries(configNames).flatMap(([key, name]): Fact[] => {
    const leaf = leaves.find((candidate) => candidate.key === key);
    return leaf === undefined ? [] : [[name, String(leaf.value)]];
  });
}

function progressFacts(events: readonly RunEvent[], leaves: readonly ConfigLeaf[]): Fact[] {
  const last = events.at(-1);
  const step = last?.step ?? 0;
  const batch = Number(leaves.find(({ key }) => key === 'optim.batchSize')?.value);
  const facts: Fact[] = [['Steps', String(step)]];
  if (Number.isFinite(batch)) facts.push(['Images seen', String(step * batch)]);
  const resumed = events.some((event) => event.type === 'resume');
  // Of a run that was resumed, only the time of its last part is known.
  if (last?.type === 'finished' && !resumed) facts.push(['Training time', durationText(last.seconds)]);
  return facts;
}

/** `someFact` as `Some fact`. */
function words(name: string): string {
  const text = name.replaceAll(
    /([a-z0-9])([A-Z])/g,
    (_, before: string, letter: string) => `${before} ${letter.toLowerCase()}`,
  );
  return text.charAt(0).toUpperCase() + text.slice(1);
}
