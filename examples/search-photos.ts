/**
 * Finds the images most like a given one. Any encoder will do: a run, a weights file, or an untrained one for a try.
 *
 *   npm run example search-photos -- runs/first photo.jpg /my/photos
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { loadEncoder } from 'tessera';

const [model = '', query = '', folder = ''] = process.argv.slice(2);
using encoder = await loadEncoder(model);

const names = (await readdir(folder, { recursive: true })).filter((name) => /\.(jpe?g|png|webp)$/i.test(name)).sort();
const wanted = await encoder.embed(query);
const found: { name: string; similarity: number }[] = [];
for (let start = 0; start < names.length; start += 32) {
  const batch = names.slice(start, start + 32);
  const features = await encoder.embedBatch(batch.map((name) => join(folder, name)));
  for (const [index, { global }] of features.entries()) {
    // Global vectors have length 1, so their dot product is the cosine.
    const similarity = global.reduce((sum, value, i) => sum + value * wanted.global[i]!, 0);
    found.push({ name: batch[index]!, similarity });
  }
}
found.sort((a, b) => b.similarity - a.similarity);
for (const { name, similarity } of found.slice(0, 5)) console.log(similarity.toFixed(4), name);
