import { setUpEngine } from '../../engine/set-up-engine.js';
import { type CommandResult, cardText } from '../output.js';

/** `tessera setup`: JSON `{changed, addon, libtorch: {root, version, origin, cuda}}`. Steps are told on standard error. */
export async function setup(): Promise<CommandResult> {
  const { installation, changed } = await setUpEngine((line) => process.stderr.write(`${line}\n`));
  const { addon, libtorch } = installation;
  const card = cardText(changed ? 'engine set up' : 'engine was up to date', [
    ['libtorch', `${libtorch.version}${libtorch.cuda ? ' with CUDA' : ''}, ${libtorch.root}`],
    ['addon', addon],
  ]);
  return { card, json: { changed, addon, libtorch } };
}
