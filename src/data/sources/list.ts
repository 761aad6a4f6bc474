import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DataError } from '../../support/errors.js';
import { type Dataset, fingerprintOf, type Item } from '../dataset.js';
import { byName } from './files.js';

interface Line {
  number: number;
  name: string;
  path: string;
  label: string | undefined;
  size: number;
}

/**
 * Images named in a text file: one path per line, relative to the file, optionally a tab and a label. Labels that are
 * all integers are class ids; others are class names, numbered in sorted order.
 *
 * @throws DataError for missing images, or labels on some lines only.
 */
export function openList(spec: string, path: string): Dataset {
  const lines = readLines(path);
  if (lines.length === 0) throw new DataError(`${path} should list images, one path per line; it is empty.`);
  const labels = labelsOf(path, lines);
  return {
    spec,
    size: lines.length,
    ...(labels && { classes: labels.classes }),
    notes: [],
    fingerprint: fingerprintOf(lines.flatMap(({ name, label, size }) => [name, label ?? '', size])),
    item(index: number): Item {
      const line = lines[index]!;
      const item: Item = { image: { kind: 'file', path: line.path }, name: line.name };
      if (labels) item.label = labels.ids[index]!;
      return item;
    },
  };
}

function readLines(path: string): Line[] {
  const folder = dirname(path);
  const lines: Line[] = [];
  const missing: string[] = [];
  readText(path)
    .split(/\r?\n/)
    .forEach((text, i) => {
      if (text.trim() === '') return;
      const [name, label] = text.split('\t') as [string, string | undefined];
      const file = resolve(folder, name);
      const info = statSync(file, { throwIfNoEntry: false });
      if (!info?.isFile()) missing.push(`  line ${i + 1}: ${name}`);
      else lines.push({ number: i + 1, name, path: file, label: label?.trim(), size: info.size });
    });
  if (missing.length > 0) {
    const more = missing.length > 20 ? [`  and ${missing.length - 20} more`] : [];
    throw new DataError(
      `${missing.length} images listed in ${path} do not exist:\n${[...missing.slice(0, 20), ...more].join('\n')}`,
      { hint: `Paths are relative to ${folder}; a label is separated by a tab.` },
    );
  }
  return lines;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new DataError(`${path} should be a text file with one image path per line, and cannot be read.`, {
      hint: 'Check the path.',
      cause,
    });
  }
}

function labelsOf(path: string, lines: readonly Line[]): { classes: string[]; ids: number[] } | undefined {
  const without = lines.filter((line) => line.label === undefined || line.label === '');
  if (without.length === lines.length) return undefined;
  if (without.length > 0) {
    const numbers = without.slice(0, 20).map((line) => line.number);
    throw new DataError(
      `All images in ${path} need a label or none; ${without.length} of ${lines.length} have none, on lines ${numbers.join(', ')}${without.length > 20 ? ', …' : ''}.`,
      { hint: 'Write the label behind the path, separated by a tab.' },
    );
  }
  return numberLabels(lines.map((line) => line.label!));
}

/** Class ids of labels: themselves when all are integers from 0, otherwise their ranks in sorted order. */
export function numberLabels(labels: readonly string[]): { classes: string[]; ids: number[] } {
  if (labels.every((label) => /^\d{1,6}$/.test(label))) {
    const ids = labels.map(Number);
    const count = ids.reduce((most, id) => Math.max(most, id + 1), 0);
    return { classes: Array.from({ length: count }, (_, id) => String(id)), ids };
  }
  const classes = [...new Set(labels)].sort(byName);
  const rank = new Map(classes.map((name, id) => [name, id]));
  return { classes, ids: labels.map((label) => rank.get(label)!) };
}
