import { type Document, type LineCounter, parseDocument, visit } from 'yaml';

/** A YAML text with everything that is wrong with it; `values` are plain ones, `undefined` where something is wrong. */
export type YamlSource = {
  readonly document: Document.Parsed;
  readonly values: unknown;
  /** `offset` counts characters of the text. */
  readonly problems: readonly { readonly offset: number; readonly message: string }[];
};

/** Reads YAML 1.2: syntax errors, duplicate keys, unknown tags and aliases without anchor are problems, never thrown. */
export function readYaml(text: string, lineCounter?: LineCounter): YamlSource {
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
