import { type Dataset, fingerprintOf, type Item } from '../dataset.js';

/**
 * Several data sets behind one another. Class labels are kept only when all have the same classes, and a note says so
 * otherwise; ignored pixel labels are those of all.
 */
export function joinDatasets(spec: string, datasets: readonly Dataset[]): Dataset {
  const starts = [0];
  for (const dataset of datasets) starts.push(starts.at(-1)! + dataset.size);
  const classes = shared(datasets, 'classes');
  const pixelClasses = shared(datasets, 'pixelClasses');
  const ignored = [...new Set(datasets.flatMap((dataset) => dataset.ignoreLabels ?? []))];
  const notes = datasets.flatMap((dataset) => dataset.notes);
  if (classes === undefined && datasets.some((dataset) => dataset.classes)) {
    notes.push('the class labels are left out, since the joined data sets have different classes');
  }
  return {
    spec,
    size: starts.at(-1)!,
    ...(classes && { classes }),
    ...(pixelClasses && { pixelClasses }),
    ...(datasets.some((dataset) => dataset.ignoreLabels) && { ignoreLabels: ignored }),
    notes,
    fingerprint: fingerprintOf(datasets.map((dataset) => dataset.fingerprint)),
    item(index: number): Item {
      const which = starts.findLastIndex((start) => start <= index);
      const dataset = datasets[which]!;
      const { label, ...item } = dataset.item(index - starts[which]!);
      item.name = `${which}/${item.name}`;
      return classes && label !== undefined ? { ...item, label } : item;
    },
  };
}

function shared(datasets: readonly Dataset[], key: 'classes' | 'pixelClasses'): readonly string[] | undefined {
  const first = datasets[0]![key];
  const same = datasets.every((dataset) => JSON.stringify(dataset[key]) === JSON.stringify(first));
  return same ? first : undefined;
}
