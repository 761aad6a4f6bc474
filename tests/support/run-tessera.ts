import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** `bin/tessera` of this checkout. */
export const tesseraBinary = fileURLToPath(new URL('../../bin/tessera', import.meta.url));

/** Runs the built command line as users do and waits for its end; `env` is added to the environment. */
export function runTessera(
  args: readonly string[],
  cwd?: string,
  env: Readonly<Record<string, string>> = {},
): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(tesseraBinary, [...args], {
    encoding: 'utf8',
    cwd,
    env: { ...process.env, ...env },
  });
  return { code: status, stdout, stderr };
}

/** The last line of standard output as JSON. */
export function lastJson(stdout: string): unknown {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
}
