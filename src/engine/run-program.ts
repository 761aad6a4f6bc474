import { spawn } from 'node:child_process';

/** What a finished program left. */
export interface Outcome {
  /** Exit code; 127 when the program was not found, 1 when a signal ended it. */
  readonly code: number;
  /** Standard output and standard error together, in the order in which they came. */
  readonly output: string;
}

/** Runs a program to its end without a shell and gathers what it prints. Never throws. */
export function runProgram(program: string, args: readonly string[], env = process.env): Promise<Outcome> {
  return new Promise((settle) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', (error) => settle({ code: 127, output: error.message }));
    child.on('close', (code, signal) => {
      const ending = signal ? `ended by ${signal}\n` : '';
      settle({ code: code ?? 1, output: Buffer.concat(chunks).toString('utf8') + ending });
    });
  });
}
