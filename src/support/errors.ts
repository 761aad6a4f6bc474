/**
 * Every error that a user can cause. The message says what was expected and what was received; the hint says what
 * to do next. The command line prints message and hint, and exits with `exitCode`.
 */
export class TesseraError extends Error {
  /** Stable identifier for scripts, for example `CONFIG_INVALID`. */
  readonly code: string;
  /** The next step, as a sentence. */
  readonly hint: string | undefined;
  /** Exit code of the command line: 1 failed, 2 wrong usage. */
  readonly exitCode: number;

  constructor(
    code: string,
    message: string,
    options: { hint?: string | undefined; cause?: unknown; exitCode?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? 1;
  }
}

type Details = { hint?: string; cause?: unknown };

/** The command was typed wrongly: unknown option, missing argument, a run folder that exists already. */
export class UsageError extends TesseraError {
  constructor(message: string, details: Details = {}) {
    super('USAGE', message, { ...details, exitCode: 2 });
  }
}

/** A recipe or an override is invalid; the message lists every problem at once. */
export class ConfigError extends TesseraError {
  constructor(message: string, details: Details = {}) {
    super('CONFIG_INVALID', message, { ...details, exitCode: 2 });
  }
}

/** Images or labels are missing, unreadable or inconsistent. */
export class DataError extends TesseraError {
  constructor(message: string, details: Details = {}) {
    super('DATA', message, details);
  }
}

/** A checkpoint or a weights file cannot be used. */
export class CheckpointError extends TesseraError {
  constructor(message: string, details: Details = {}) {
    super('CHECKPOINT', message, details);
  }
}

/** The engine (libtorch behind the addon) is missing, of a wrong version, or refused a call. */
export class EngineError extends TesseraError {
  constructor(message: string, details: Details = {}) {
    super('ENGINE', message, details);
  }
}

/** A tensor has another shape, dtype or device than the operation needs. */
export class ShapeError extends TesseraError {
  constructor(message: string, details: Details = {}) {
    super('SHAPE', message, details);
  }
}

/** A tensor was used after it was freed. */
export class DisposedError extends TesseraError {
  constructor(message: string, details: Details = {}) {
    super('DISPOSED', message, details);
  }
}

/** Training cannot go on: losses are not finite, too many images are broken, a peer process failed. */
export class TrainingError extends TesseraError {
  constructor(message: string, details: Details = {}) {
    super('TRAINING', message, details);
  }
}

/** A broken invariant: a bug in Tessera, not in what the user did. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`${message} (this is a bug in Tessera; please report it)`);
}
