import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { storageError } from '../support/atomic-file.js';
import { UsageError } from '../support/errors.js';
import { suggestion } from '../support/nearest-name.js';
import { processUsing, readStatus } from './run-status.js';

/** A complete checkpoint of a run. `step` counts optimiser steps from the beginning of the run. */
export type CheckpointEntry = { readonly step: number; readonly path: string };

/** The folder of one training run and the names of everything in it. Nothing outside it describes the run. */
export class RunFolder {
  /** Absolute path. */
  readonly path: string;

  private constructor(path: string) {
    this.path = resolve(path);
  }

  /** The folder's own name. */
  get name(): string {
    return basename(this.path);
  }
  /** The resolved configuration with the origin of each value. */
  get config(): string {
    return join(this.path, 'config.yaml');
  }
  /** Everything that happened, one JSON document a line. */
  get events(): string {
    return join(this.path, 'events.jsonl');
  }
  /** The heartbeat. */
  get status(): string {
    return join(this.path, 'status.json');
  }
  get checkpoints(): string {
    return join(this.path, 'checkpoints');
  }
  /** Class names by id, of a run that trained a classifier. */
  get classes(): string {
    return join(this.path, 'classes.json');
  }
  get images(): string {
    return join(this.path, 'images');
  }
  get report(): string {
    return join(this.path, 'report.html');
  }
  /** What the command that trained the run had to say in the report. */
  get reportParts(): string {
    return join(this.path, 'report.json');
  }
  get tensorboard(): string {
    return join(this.path, 'tensorboard');
  }

  /** Where the checkpoint of a step lies or will lie. */
  checkpoint(step: number): string {
    return join(this.checkpoints, `step-${step}`);
  }

  /** The complete checkpoints, oldest first; half-written ones have another name and do not count. */
  listCheckpoints(): CheckpointEntry[] {
    if (!existsSync(this.checkpoints)) return [];
    return readdirSync(this.checkpoints)
      .flatMap((name) => /^step-(\d+)$/.exec(name)?.[1] ?? [])
      .map((step) => ({ step: Number(step), path: this.checkpoint(Number(step)) }))
      .sort((a, b) => a.step - b.step);
  }

  /** The complete checkpoint with the most steps. */
  latestCheckpoint(): CheckpointEntry | undefined {
    return this.listCheckpoints().at(-1);
  }

  /**
   * Makes the folder of a new run or, with `resume`, opens the one that is to go on.
   *
   * @throws UsageError if there is a run (or anything else) already; with `resume`, if there is no run or another
   *   process is training it right now.
   * @throws TesseraError `STORAGE` if the folder cannot be made.
   */
  static create(path: string, options: { resume?: boolean } = {}): RunFolder {
    if (options.resume) return openToResume(path);
    const run = new RunFolder(path);
    RunFolder.refuseExisting(path);
    try {
      mkdirSync(run.checkpoints, { recursive: true });
      mkdirSync(run.images, { recursive: true });
    } catch (cause) {
      throw storageError(cause, path);
    }
    return run;
  }

  /** @throws UsageError if `path` is a run, a file or a folder with anything in it. */
  static refuseExisting(path: string): void {
    refuseExisting(new RunFolder(path), path);
  }

  /**
   * Opens the folder of a run to read it.
   *
   * @throws UsageError saying what is missing.
   */
  static open(path: string): RunFolder {
    const run = new RunFolder(path);
    if (!existsSync(run.path)) {
      throw new UsageError(`no run at ${path}: there is no such folder${suggestion(run.name, runsBeside(run.path))}`, {
        hint: `tessera runs list ${dirname(path)} shows the runs there.`,
      });
    }
    if (!RunFolder.isRun(path)) {
      throw new UsageError(`${path} is not a run folder: it has no config.yaml`, {
        hint: 'Give the folder that was named with --out; tessera runs list FOLDER finds runs.',
      });
    }
    return run;
  }

  /** Whether a folder holds a run. */
  static isRun(path: string): boolean {
    return existsSync(join(path, 'config.yaml'));
  }

  /** `path`, or `path-2`, `path-3`, … : the first name that is still free. */
  static firstFree(path: string): string {
    if (!existsSync(path)) return path;
    for (let number = 2; ; number++) if (!existsSync(`${path}-${number}`)) return `${path}-${number}`;
  }
}

function openToResume(path: string): RunFolder {
  const run = RunFolder.open(path);
  const user = processUsing(readStatus(run.status));
  if (user !== undefined) {
    throw new UsageError(`the run ${path} is being trained right now by process ${user}`, {
      hint: `Wait for it or stop it (kill ${user}), then resume.`,
    });
  }
  return run;
}

function refuseExisting(run: RunFolder, path: string): void {
  if (RunFolder.isRun(path)) {
    throw new UsageError(`there is a run at ${path} already`, {
      hint: 'Continue it with --resume, or give another folder with --out.',
    });
  }
  const found = existsSync(run.path);
  if (found && !statSync(run.path).isDirectory())
    throw new UsageError(`${path} is a file: expected a new folder for the run`);
  // Empty sub-folders are what a kill in the first instant of a run leaves.
  const inside = found ? readdirSync(run.path, { recursive: true, withFileTypes: true }) : [];
  if (inside.some((entry) => !entry.isDirectory())) {
    throw new UsageError(`${path} is not empty and not a run: expected a new folder`, {
      hint: 'Give another folder with --out.',
    });
  }
}

function runsBeside(path: string): string[] {
  const parent = dirname(path);
  if (!existsSync(parent)) return [];
  return readdirSync(parent).filter((name) => RunFolder.isRun(join(parent, name)));
}
