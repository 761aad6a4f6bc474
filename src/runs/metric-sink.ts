/** Somewhere that the metrics of a run go: its event log, TensorBoard. */
export interface MetricSink {
  /** Takes the metrics of one step (optimiser steps from the beginning of the run). */
  write(step: number, values: Readonly<Record<string, number>>): void;
  /** Writes what is pending and lets go of files. */
  close(): void;
}
