import { type CST, type Document, type LineCounter, Parser, parseDocument, visit } from 'yaml';

/** A YAML text with everything that is wrong with it; `values` are plain ones, `undefined` where something is wrong. */
export type YamlSource = {
  readonly document: Document.Parsed;
  readonly values: unknown;
  /** `offset` counts characters of the text. */
  readonly problems: readonly { readonly offset: number; readonly message: string }[];
};

/** Reads YAML 1.2: syntax errors, duplicate keys, unknown tags and aliases without anchor are problems, never thrown. */
export function readYaml(text: string, lineCounter?: LineCounter): YamlSource {
  if (isDeep(text)) {
    const message = `values are nested more than ${MAX_DEPTH} deep`;
    return { document: parseDocument(''), values: undefined, problems: [{ offset: 0, message }] };
  }
  const document = parseDocument(text, { prettyErrors: false, ...(lineCounter ? { lineCounter } : {}) });
  const problems = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
    offset: pos[0],
    message,
  }));
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document)) return;
      problems.push({
        offset: alias.range?.[0] ?? 0,
        message: `*${alias.source} refers to no anchor before it`,
      });
    },
  });
  if (problems.length > 0) return { document, values: undefined, problems };
  try {
    return { document, values: document.toJS(), problems };
  } catch (error) {
    // Aliases of aliases of aliases.
    return { document, values: undefined, problems: [{ offset: 0, message: (error as Error).message }] };
  }
}

/** Lists and sections inside one another. The library goes down by recursion, at whose end the process can end too. */
const MAX_DEPTH = 100;

function isDeep(text: string): boolean {
  const waiting: [token: CST.Token, depth: number][] = [];
  for (const token of new Parser().parse(text)) waiting.push([token, 0]);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [token, depth] = next;
    if (depth > MAX_DEPTH) return true;
    const inner =
      'items' in token ? token.items.flatMap(({ key, value }) => [key, value]) : 'value' in token ? [token.value] : [];
    for (const child of inner) if (child) waiting.push([child, depth + 1]);
  }
  return false;
}
