import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { PbfWriter } from 'pbf';
import { storageError } from '../support/atomic-file.js';
import { crc32c } from './crc32c.js';
import type { MetricSink } from './metric-sink.js';

/** Settings of a `TensorBoardWriter`; all have defaults. */
export type TensorBoardOptions = {
  /** A run that goes on after this many steps: TensorBoard then drops later points of the former process. */
  readonly resumedAt?: number;
  /** Seconds since 1970. */
  readonly clock?: () => number;
};

/**
 * Writes scalars as TensorBoard event files: TFRecord framing (length, masked CRC-32C, data, masked CRC-32C) around
 * `tensorflow.Event` messages (tensorflow/core/util/event.proto, framework/summary.proto). A new file for each process.
 */
export class TensorBoardWriter implements MetricSink {
  /** The event file. */
  readonly path: string;
  private readonly clock: () => number;
  private file: number | undefined;

  /** @throws TesseraError `STORAGE` when the file cannot be made. */
  constructor(folder: string, options: TensorBoardOptions = {}) {
    this.clock = options.clock ?? (() => Date.now() / 1000);
    const now = String(Math.floor(this.clock())).padStart(10, '0');
    this.path = join(folder, `events.out.tfevents.${now}.${hostname()}.${process.pid}.0`);
    try {
      mkdirSync(folder, { recursive: true });
      this.file = openSync(this.path, 'a');
    } catch (cause) {
      throw storageError(cause, this.path);
    }
    this.append((event) => event.writeStringField(fields.event.fileVersion, 'brain.Event:2'));
    if (options.resumedAt !== undefined) this.appendRestart(options.resumedAt + 1);
  }

  write(step: number, values: Readonly<Record<string, number>>): void {
    this.append((event) => {
      event.writeVarintField(fields.event.step, step);
      event.writeMessage(fields.event.summary, writeSummary, values);
    });
  }

  close(): void {
    if (this.file !== undefined) closeSync(this.file);
    this.file = undefined;
  }

  /** Session start: readers forget what they have of this run from `step` on. */
  private appendRestart(step: number): void {
    this.append((event) => {
      event.writeVarintField(fields.event.step, step);
      event.writeMessage(
        fields.event.sessionLog,
        (start, log) => log.writeVarintField(fields.sessionLog.status, start),
        sessionStart,
      );
    });
  }

  private append(fill: (event: PbfWriter) => void): void {
    if (this.file === undefined) throw new Error(`${this.path} was closed (this is a bug in Tessera)`);
    const event = new PbfWriter();
    event.writeDoubleField(fields.event.wallTime, this.clock());
    fill(event);
    try {
      writeSync(this.file, framed(event.finish()));
    } catch (cause) {
      throw storageError(cause, this.path);
    }
  }
}

/** Field numbers of the messages. */
const fields = {
  event: { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 },
  summary: { value: 1 },
  value: { tag: 1, simpleValue: 2 },
  sessionLog: { status: 1 },
} as const;
const sessionStart = 1;

function writeSummary(values: Readonly<Record<string, number>>, summary: PbfWriter): void {
  for (const entry of Object.entries(values)) summary.writeMessage(fields.summary.value, writeScalar, entry);
}

function writeScalar([tag, scalar]: [string, number], value: PbfWriter): void {
  value.writeStringField(fields.value.tag, tag);
  value.writeFloatField(fields.value.simpleValue, scalar);
}

/** One TFRecord: uint64 length, its masked CRC, the data, its masked CRC; all little endian. */
function framed(data: Uint8Array): Uint8Array {
  const record = Buffer.alloc(12 + data.length + 4);
  record.writeBigUInt64LE(BigInt(data.length), 0);
  record.writeUInt32LE(maskedCrc(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(maskedCrc(data), 12 + data.length);
  return record;
}

/** tensorflow/tsl/lib/hash/crc32c.h: rotated and shifted, so that a CRC over data holding CRCs stays sound. */
function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
