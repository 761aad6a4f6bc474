import { fileURLToPath } from 'node:url';
import { type Installation, recordedInstallation, whyUnusable } from '../../engine/installation.js';
import { chooseLibtorch, type Libtorch, lookForLibtorch, type Place } from '../../engine/locate-libtorch.js';
import { planAddon } from '../../engine/plan-addon.js';
import { runProgram } from '../../engine/run-program.js';

/** What `doctor` says about the engine. */
export interface EngineReport {
  readonly places: readonly Place[];
  /** The libtorch that `setup` would use now; undefined: it would download one. */
  readonly libtorch: Libtorch | undefined;
  readonly addon: { path: string | undefined; upToDate: boolean; reason: string | undefined };
  /** What the engine says when it is loaded; undefined when it does not load. */
  readonly loaded: LoadedEngine | undefined;
  /** What stands in the way of using it, in words. */
  readonly problem: string | undefined;
}

interface LoadedEngine {
  readonly version: string;
  readonly cpuCapability: string;
  /** Whether large float32 products are made by the matrix unit of the processor (AMX). */
  readonly tiles: boolean;
  readonly cuda: boolean;
  readonly threads: number;
}

/** Looks for libtorch and addon and loads the engine in a process of its own, so that nothing it does ends this one. */
export async function examineEngine(): Promise<EngineReport> {
  const places = lookForLibtorch();
  let libtorch: Libtorch | undefined;
  try {
    libtorch = chooseLibtorch(places);
  } catch (error) {
    const problem = (error as Error).message;
    return {
      places,
      libtorch,
      addon: { path: undefined, upToDate: false, reason: problem },
      loaded: undefined,
      problem,
    };
  }
  const recorded = recordedInstallation();
  const reason = await whyOutOfDate(recorded, libtorch);
  const addon = { path: recorded?.addon, upToDate: reason === undefined, reason };
  if (!recorded || whyUnusable(recorded) !== undefined) {
    return { places, libtorch, addon, loaded: undefined, problem: `the engine is not set up: ${reason}` };
  }
  const { loaded, problem } = await loadElsewhere();
  return {
    places,
    libtorch,
    addon,
    loaded,
    problem: problem ?? (reason && `the addon is out of date: ${reason}`),
  };
}

async function whyOutOfDate(recorded: Installation | undefined, libtorch: Libtorch | undefined) {
  if (!recorded) return 'no addon was built yet';
  const unusable = whyUnusable(recorded);
  if (unusable !== undefined) return unusable;
  if (libtorch?.root !== recorded.libtorch.root) {
    return `it was built for ${recorded.libtorch.root}; ${libtorch ? `${libtorch.root} comes first now` : 'no libtorch is found now'}`;
  }
  try {
    const plan = await planAddon(libtorch);
    return plan.engine.addon === recorded.addon ? undefined : 'sources, flags or compiler have changed';
  } catch {
    // Without a compiler nothing can be built, and what is built can be used.
    return undefined;
  }
}

async function loadElsewhere(): Promise<{ loaded?: LoadedEngine; problem?: string }> {
  const module = fileURLToPath(new URL('../../engine/addon.js', import.meta.url));
  const program = `
    const { engine } = await import(${JSON.stringify(module)});
    const { version, cpuCapability, tiles, cuda } = engine().info();
    console.log(JSON.stringify({ version, cpuCapability, tiles, cuda, threads: engine().threads() }));`;
  const { code, output } = await runProgram(process.execPath, ['--input-type=module', '-e', program]);
  if (code !== 0) return { problem: `the engine does not load: ${/Error: (.*)/.exec(output)?.[1] ?? output.trim()}` };
  return { loaded: JSON.parse(output) as LoadedEngine };
}
