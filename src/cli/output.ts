/** What a command hands back: something to read, something to parse, and how it ended. */
export type CommandResult = {
  /** A few lines for people; standard output without `--json`. */
  readonly card: string;
  /** One JSON document for scripts; the last line of standard output with `--json`. */
  readonly json: unknown;
  /** 0 done (the default), 1 failed, 130 stopped by a signal after saving. */
  readonly exitCode?: 0 | 1 | 130;
};

/** Writes a result to standard output: the card, or with `json` exactly one line of JSON. */
export function writeResult(result: CommandResult, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(result.json)}\n` : `${result.card.trimEnd()}\n`);
}

/**
 * A title with aligned facts below it; facts without a value are left out.
 *
 * ```
 * first · capi
 *   state  finished
 *   loss   7.62 to 3.71
 * ```
 */
export function cardText(title: string, facts: readonly (readonly [string, string | undefined])[]): string {
  const known = facts.filter((fact): fact is readonly [string, string] => fact[1] !== undefined);
  const width = Math.max(0, ...known.map(([name]) => name.length));
  return [title, ...known.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)].join('\n');
}
