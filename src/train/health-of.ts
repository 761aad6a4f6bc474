import type { Health } from './method.js';

/** The judgement that figures and what is wrong with them make; false where nothing is. */
export function healthOf(figures: readonly string[], checks: readonly (string | false)[]): Health {
  const problems = checks.filter((text) => text !== false);
  const healthy = problems.length === 0;
  const shown = figures.join(', ');
  return { healthy, text: healthy ? `healthy: ${shown}` : `look closer: ${problems.join('; ')} (${shown})` };
}
