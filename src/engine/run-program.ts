import { spawn } from 'node:child_process';

/** What a finished program left. */
export interface Outcome {
  /** Exit code; 127 when the program was not found, 1 when a signal ended it. */
  readonly code: number;
  /** Standard output and standard error together, in the order in which they came. */
  readonly output: string;
}

/** Why a piece of JavaScript fails in a Node process of its own, in words; undefined when it does not. */
export async function whyScriptFails(script: string): Promise<string | undefined> {
  const { code, output } = await runProgram(process.execPath, ['-e', script]);
  if (code === 0) return undefined;
  return /Error: (.*)/.exec(output)?.[1] ?? (output.trim() || `the process ended with code ${code}`);
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
