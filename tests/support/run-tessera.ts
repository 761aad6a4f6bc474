import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** `bin/tessera` of this checkout. */
export const tesseraBinary = fileURLToPath(new URL('../../bin/tessera', import.meta.url));

/** Runs the built command line as users do and waits for its end. */
export function runTessera(
  args: readonly string[],
  cwd?: string,
): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(tesseraBinary, [...args], {
    encoding: 'utf8',
    cwd,
  });
  return { code: status, stdout, stderr };
}

/** The last line of standard output as JSON. */
export function lastJson(stdout: string): unknown {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
}
