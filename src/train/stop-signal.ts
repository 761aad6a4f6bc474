const signals = ['SIGINT', 'SIGTERM', 'SIGUSR2'] as const;

/** Notes the first SIGINT, SIGTERM or SIGUSR2; a second one ends the process as it would without us. */
export class StopSignal {
  received: NodeJS.Signals | undefined;
  readonly #listener = (signal: NodeJS.Signals) => {
    this.received = signal;
    process.stderr.write(`\n${signal}: saving after this step; once more ends at once\n`);
    this.dispose();
  };

  constructor() {
    for (const signal of signals) process.on(signal, this.#listener);
  }

  dispose(): void {
    for (const signal of signals) process.off(signal, this.#listener);
  }
}
