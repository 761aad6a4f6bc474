import { Document, isCollection, isMap, isNode, isScalar } from 'yaml';
import { ConfigError } from '../support/errors.js';
import type { Origin } from './resolve-config.js';
import { readYaml } from './yaml-source.js';

const header = ' Resolved configuration of this run. The comment after a value says where it came from.';

/** A value of a stored configuration, with its dotted key and the comment that says where it came from. */
export type ConfigLeaf = { readonly key: string; readonly value: unknown; readonly origin: string };

/**
 * The `config.yaml` of a run: every value with a trailing comment naming its origin. It parses back to the same
 * configuration, and is a recipe itself.
 */
export function configYaml(config: unknown, origins: ReadonlyMap<string, Origin>): string {
  const document = new Document(config, { aliasDuplicateObjects: false });
  document.commentBefore = header;
  visitLeaves(document.contents, [], (node, key) => {
    const origin = origins.get(key);
    if (isCollection(node)) node.flow = true;
    if (isNode(node) && origin !== undefined) node.comment = ` ${origin}`;
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** The values of a stored `config.yaml` in its order. @throws {ConfigError} it is damaged. */
export function readConfigLeaves(text: string): ConfigLeaf[] {
  const { document, problems } = readYaml(text);
  if (problems.length > 0) {
    throw new ConfigError(`The config.yaml of the run is damaged: ${problems[0]!.message}.`, {
      hint: 'Put back the file that training wrote.',
    });
  }
  const leaves: ConfigLeaf[] = [];
  visitLeaves(document.contents, [], (node, key) => {
    if (!isNode(node)) return;
    leaves.push({ key, value: node.toJS(document), origin: (node.comment ?? '').trim() });
  });
  return leaves;
}

function visitLeaves(node: unknown, path: readonly string[], visit: (node: unknown, key: string) => void): void {
  if (!isMap(node) || (node.items.length === 0 && path.length > 0)) {
    visit(node, path.join('.'));
    return;
  }
  for (const { key, value } of node.items) {
    visitLeaves(value, [...path, String(isScalar(key) ? key.value : key)], visit);
  }
}
