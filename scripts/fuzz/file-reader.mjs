/**
 * Reads files as users' programs do, one after another as the parent names them, and answers what came of each: `read`,
 * `refused` (an error of ours, with its message) or `unexplained` (any other error). Writes into the folder given only.
 */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const load = (path) => import(new URL(`../../dist/${path}`, import.meta.url));
const { loadEncoder, openDataset, TesseraError } = await load('index.js');
const { convert } = await load('cli/actions/convert.js');
const { decodeImage, decodeLabels } = await load('data/decode.js');
const { liveTensors } = await load('tensor/tensor.js');

const [out, photo] = process.argv.slice(2);
const fixture = new URL('../../tests/fixtures/encoders/timm.safetensors', import.meta.url);
const plain = await loadEncoder(`${fileURLToPath(fixture)}?heads=2`, { size: 16 });
const ITEMS = 8;

/** What users do with each kind of file. */
const readers = {
  async weights(path) {
    const encoder = await loadEncoder(path, { size: 16 });
    try {
      await encoder.embed(photo);
    } finally {
      encoder.dispose();
    }
    const before = liveTensors().tensors;
    for (const [index, ending] of ['.safetensors', '.pth'].entries())
      await convert({ input: path, output: join(out, `converted${ending}`), weights: index ? 'student' : 'teacher' });
    if (liveTensors().tensors !== before) throw new Error('tensors are left');
  },
  async image(path) {
    await plain.embed(path);
  },
  async labels(path) {
    decodeLabels({ kind: 'file', path });
  },
  async tar(path) {
    await readItems(await openDataset(`tar://${path}`));
  },
  async parquet(path) {
    await readItems(await openDataset(`parquet://${path}?label=label`));
  },
  // What must never happen, so that the parent knows that it would notice.
  outside: (path) => writeFileSync(path, 'written'),
  large: () => Buffer.alloc(600 * 2 ** 20, 1),
  ended: () => process.abort(),
  hung: () => {
    for (;;);
  },
};

async function readItems(dataset) {
  for (let i = 0; i < Math.min(ITEMS, dataset.size); i++) await decodeImage(dataset.item(i).image);
}

process.on('message', async ({ kind, path }) => {
  const before = liveTensors().tensors;
  let answer = { outcome: 'read' };
  try {
    await readers[kind](path);
  } catch (error) {
    answer = {
      outcome: error instanceof TesseraError ? 'refused' : 'unexplained',
      error: String(error.stack ?? error),
    };
  }
  for (const name of readdirSync(out)) rmSync(join(out, name), { recursive: true });
  const left = liveTensors().tensors - before;
  if (left !== 0) answer = { outcome: 'unexplained', error: `${left} tensors are left behind\n${answer.error ?? ''}` };
  process.send(answer);
});
process.on('disconnect', () => process.exit());
process.send({ outcome: 'ready' });
