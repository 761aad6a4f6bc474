import { UsageError } from '../support/errors.js';
import { suggestion } from '../support/nearest-name.js';

/** What commander hands over: text for options with a value, `true` for flags. */
export type RawOptions = Readonly<Record<string, string | boolean | string[] | undefined>>;

/**
 * Checks the options of one command and collects every problem, so that all are reported at once by `done`. Options
 * that were not given are `undefined`; nothing invalid turns into a default.
 */
export class OptionReader {
  private readonly problems: string[] = [];

  constructor(private readonly raw: RawOptions) {}

  /** Text that may be left out. */
  text(name: string): string | undefined {
    const value = this.raw[name];
    if (value === '') this.problems.push(`${flagOf(name)}: expected a value, received nothing`);
    return typeof value === 'string' ? value : undefined;
  }

  /** Text that must be given. */
  required(name: string, what: string): string {
    if (this.raw[name] === undefined) this.problems.push(`${flagOf(name)} is missing: expected ${what}`);
    return this.text(name) ?? '';
  }

  /** Whether a flag without value was given. */
  flag(name: string): boolean {
    return this.raw[name] === true;
  }

  /** Whole number of at least `low`. */
  integer(name: string, low = 1): number | undefined {
    const text = this.raw[name];
    if (typeof text !== 'string') return undefined;
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= low && Number.isSafeInteger(value)) return value;
    this.problems.push(`${flagOf(name)}: expected a whole number of at least ${low}, received ${text || 'nothing'}`);
    return undefined;
  }

  /** One of a few words. */
  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const text = this.raw[name];
    return typeof text === 'string' ? this.oneOf(flagOf(name), text, choices) : undefined;
  }

  /** `cpu`, `cuda`, `cuda:1`, `mps`; whether this machine has it shows later. */
  device(): string | undefined {
    const text = this.raw.device;
    if (typeof text !== 'string') return undefined;
    if (!/^(cpu|mps|cuda(:\d+)?)$/.test(text)) {
      const near = suggestion(text, ['cpu', 'cuda', 'mps']);
      this.problems.push(`--device: expected cpu, cuda, cuda:<number> or mps, received ${text || 'nothing'}${near}`);
    }
    return text;
  }

  /** One value or several that must be given. */
  list(name: string, what: string): readonly string[] {
    const value = this.raw[name];
    if (Array.isArray(value)) return value;
    this.problems.push(`${flagOf(name)} is missing: expected ${what}`);
    return [];
  }

  /** Checks the ending of a file that was given; `name` is an option or a positional argument in capitals. */
  ending(name: string, path: string, endings: readonly string[]): void {
    if (path === '' || endings.some((ending) => path.toLowerCase().endsWith(ending))) return;
    const shown = name === name.toUpperCase() ? name : flagOf(name);
    this.problems.push(`${shown}: expected a file ending in ${endings.join(', ')}, received ${path}`);
  }

  /** Something that no other method checks is wrong. */
  wrong(problem: string): void {
    this.problems.push(problem);
  }

  /** @throws UsageError listing everything that is wrong, if anything is. */
  done(command: string): void {
    if (this.problems.length === 0) return;
    const problems = this.problems.length === 1 ? ` ${this.problems[0]}` : `\n  ${this.problems.join('\n  ')}`;
    throw new UsageError(`tessera ${command}:${problems}`, {
      hint: `tessera ${command} --help shows all options.`,
    });
  }

  private oneOf<T extends string>(name: string, text: string, choices: readonly T[]): T | undefined {
    const found = choices.find((choice) => choice === text);
    if (found === undefined) {
      const near = suggestion(text, choices);
      this.problems.push(`${name}: expected one of ${choices.join(', ')}, received ${text || 'nothing'}${near}`);
    }
    return found;
  }
}

/** `maxSteps` as `--max-steps`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** For options that may be given again: their values are read as one, joined with commas. */
export function joinSpecs(spec: string, before: string | undefined): string {
  return before === undefined ? spec : `${before},${spec}`;
}
