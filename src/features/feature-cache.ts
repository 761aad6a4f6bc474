import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../engine/folders.js';
import { requireInstallation } from '../engine/installation.js';
import { storageError, tidyFolders } from '../support/atomic-file.js';
import { type CacheEntry, EntryWriter, openEntry } from './cache-entry.js';

/** Raise it when features of the same weights and images change: extraction, resampling, the encoders themselves. */
const FORMAT = 1;
const ENDING = '.safetensors';
/** Bytes that are kept at most unless said otherwise. */
const LIMIT = 20e9;

/** Everything that features depend on. */
export interface FeatureKey {
  /** Hash of the encoder; absent for what needs none (pixel labels). */
  readonly model?: string;
  /** Fingerprint of the data set. */
  readonly data: string;
  readonly view: string;
  readonly size: number;
  /** What is kept, as `partName` says it. */
  readonly part: string;
  /** `cpu` or `cuda`: their numbers differ a little. */
  readonly device?: string;
}

/** What happened to a cache since it was opened. */
export interface CacheCounts {
  /** Parts that were read, and parts that were made and written. */
  found: number;
  made: number;
  /** Entries that gave way, the longest unused first. */
  removed: number;
}

/**
 * Frozen features on the disk, one safetensors file for each encoder, data set, transform and part. Bounded: entries that
 * were not used for longest give way.
 */
export class FeatureCache {
  readonly folder: string;
  readonly limit: number;
  readonly counts: CacheCounts = { found: 0, made: 0, removed: 0 };
  readonly #version: string;

  private constructor(folder: string, limit: number, version: string) {
    this.folder = folder;
    this.limit = limit;
    this.#version = version;
  }

  /**
   * @param options.folder `features` in the user's cache folder unless given
   * @param options.limit bytes that are kept at most (20 GB)
   * @throws {TesseraError} `STORAGE`
   */
  static async open(
    options: { readonly folder?: string | undefined; readonly limit?: number | undefined } = {},
  ): Promise<FeatureCache> {
    const { folder = join(cacheFolder(), 'features'), limit = LIMIT } = options;
    try {
      mkdirSync(folder, { recursive: true });
      await tidyFolders(folder);
    } catch (cause) {
      throw storageError(cause, folder);
    }
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    return new FeatureCache(folder, limit, `${FORMAT} ${version} libtorch ${requireInstallation().libtorch.version}`);
  }

  /** What is there for a key, if it is complete and undamaged; it then counts as used. */
  find(key: FeatureKey): CacheEntry | undefined {
    const { path, text } = this.#place(key);
    const entry = openEntry(path, text);
    if (entry === undefined) return undefined;
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // A folder of another user: its entries can be read, not aged.
    }
    return entry;
  }

  /** Whether something is there for a key, be it damaged. */
  has(key: FeatureKey): boolean {
    return existsSync(this.#place(key).path);
  }

  /** Takes the rows of a new entry. @throws {TesseraError} `STORAGE` */
  writer(key: FeatureKey): EntryWriter {
    const { path, text } = this.#place(key);
    return new EntryWriter(path, text);
  }

  /** Whether the disk has room for so many bytes. */
  hasRoom(bytes: number): boolean {
    const { bavail, bsize } = statfsSync(this.folder);
    return bytes < 0.95 * bavail * bsize;
  }

  /** Bytes of all entries. */
  size(): number {
    return this.#entries().reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Removes entries until the limit holds. Those in use stay readable: what is mapped stays until it is let go. */
  prune(): void {
    const entries = this.#entries().sort((a, b) => a.used - b.used);
    let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { path, bytes } of entries) {
      if (total <= this.limit) return;
      rmSync(path, { force: true });
      total -= bytes;
      this.counts.removed++;
    }
  }

  #entries(): { path: string; bytes: number; used: number }[] {
    return readdirSync(this.folder)
      .filter((name) => name.endsWith(ENDING))
      .flatMap((name) => {
        const path = join(this.folder, name);
        // Another process may have removed it meanwhile.
        const found = statSync(path, { throwIfNoEntry: false });
        return found ? [{ path, bytes: found.size, used: found.mtimeMs }] : [];
      });
  }

  #place(key: FeatureKey): { path: string; text: string } {
    const text = JSON.stringify({ ...key, version: this.#version });
    const name = createHash('sha256').update(text).digest('hex').slice(0, 32);
    return { path: join(this.folder, `${name}${ENDING}`), text };
  }
}
