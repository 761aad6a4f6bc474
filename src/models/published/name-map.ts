import * as ops from '../../tensor/ops.generated.js';
import { scope, type Tensor } from '../../tensor/tensor.js';

/**
 * Published names and ours, or null for what is left out. `#` stands for a number, `*` for the rest of a name; the first
 * pattern that fits counts. `{q,k,v}` on our side: the tensor holds the three below one another.
 */
export type NameMap = Readonly<Record<string, string | null>>;

const QKV = '{q,k,v}';

/** Our names for the tensors of a file. */
export interface Renamed {
  readonly state: Map<string, Tensor>;
  /** Published names that the map does not know. */
  readonly leftOver: readonly string[];
}

/** Renames a state. Tensors are the given ones or views of them; parts of a joint tensor are new handles. */
export function renamed(published: ReadonlyMap<string, Tensor>, names: NameMap): Renamed {
  const rules = Object.entries(names).map(([pattern, ours]) => ({ expression: expressionOf(pattern), pattern, ours }));
  const state = new Map<string, Tensor>();
  const leftOver: string[] = [];
  for (const [name, tensor] of published) {
    const rule = rules.find(({ expression }) => expression.test(name));
    if (rule === undefined) leftOver.push(name);
    else if (rule.ours !== null) {
      const ours = filled(rule.ours, rule.pattern, rule.expression.exec(name)!.slice(1));
      if (!ours.includes(QKV)) state.set(ours, tensor);
      else {
        const parts = tensor.shape.length > 0 ? scope(() => ops.chunk(tensor, 3, 0)) : [tensor];
        for (const [index, part] of parts.entries()) state.set(ours.replace(QKV, 'qkv'[index]!), part);
      }
    }
  }
  return { state, leftOver };
}

/** The published name of one of ours, if the map has it. Queries, keys and values may share one. */
export function publishedName(ours: string, names: NameMap): string | undefined {
  for (const [pattern, name] of Object.entries(names)) {
    if (name === null) continue;
    const found = expressionOf(name.replace(QKV, '[qkv]')).exec(ours);
    if (found) return filled(pattern, name, found.slice(1));
  }
  return undefined;
}

function expressionOf(pattern: string): RegExp {
  const source = pattern.replaceAll('.', '\\.').replaceAll('#', '(\\d+)').replaceAll('*', '(.+)');
  return new RegExp(`^${source}$`);
}

/** A pattern with its marks replaced by what the same marks stood for in another one. */
function filled(target: string, source: string, found: readonly string[]): string {
  const marks = [...source.matchAll(/[#*]/g)].map(([mark], index) => [mark, found[index]!] as const);
  const next = (mark: string) =>
    marks.splice(
      marks.findIndex(([kind]) => kind === mark),
      1,
    )[0]![1];
  return target.replace(/[#*]/g, next);
}
