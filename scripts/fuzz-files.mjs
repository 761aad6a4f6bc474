/**
 * Reads damaged files (checkpoints, images, archives) as users' programs do, and says what came of it:
 *
 *   npm run fuzz -- [--count 10000] [--seed 1] [--keep FOLDER]
 *
 * Wrong are: an end of the process, more than 5 seconds of work, more memory than the limit, a write outside of the output folder,
 * a program started, a connection opened, an error that is not one of ours, and tensors left behind. What is wrong is kept
 * with its message in FOLDER. The last line is JSON; the exit code is 1 where anything was wrong. Linux.
 */
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { damageFile } from './fuzz/damage-file.mjs';
import { makeSeeds } from './fuzz/seed-files.mjs';

const { Random } = await import('../dist/support/random.js');
/** Work that reading one file may take, and time in which nothing may happen at all. */
const PATIENCE_S = 5;
const STANDSTILL_MS = 60_000;
const CLOCK_TICKS = 100;
/** Memory that reading one file may add at most, in bytes: the files have up to 2 MB, images up to 2 MB of pixels. */
const MEMORY = 512 * 2 ** 20;

const { values } = parseArgs({
  options: { count: { type: 'string' }, seed: { type: 'string' }, keep: { type: 'string' } },
});
const [count, seed] = [Number(values.count ?? 10_000), Number(values.seed ?? 1)];
const folder = mkdtempSync(join(tmpdir(), 'tessera-fuzz-'));
const at = (name) => join(folder, name);
const keep = resolve(values.keep ?? at('kept'));
const here = (name) => fileURLToPath(new URL(`fuzz/${name}`, import.meta.url));

/** A process that reads files, with an eye on what it writes. */
class Reader {
  static async start() {
    const env = { ...process.env, OMP_NUM_THREADS: '1', UV_USE_IO_URING: '0', ...watch() };
    const child = fork(here('file-reader.mjs'), [at('out'), at('photo.png')], { env, cwd: at('cwd'), silent: true });
    const reader = new Reader(child);
    const { outcome } = await reader.answer(60);
    if (outcome !== 'ready') throw new Error(`the reader did not start: ${reader.output}`);
    return reader;
  }

  constructor(child) {
    this.child = child;
    this.output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => {
        this.output = (this.output + text).slice(-2000);
      });
  }

  /** What the process answers; `ended` or `hung` where it does not. */
  async answer(seconds) {
    const limit = this.processorSeconds() + seconds;
    const stop = new AbortController();
    const started = performance.now();
    const watching = async () => {
      // On a busy machine waiting is nobody's fault: what counts is the processor's time, or a long standstill.
      while (this.processorSeconds() < limit && performance.now() - started < STANDSTILL_MS)
        await setTimeout(100, undefined, { signal: stop.signal });
      return { outcome: 'hung', error: `no answer after ${seconds} s of work or ${STANDSTILL_MS} ms` };
    };
    const { signal } = stop;
    const ways = [
      once(this.child, 'message', { signal }).then(([answer]) => answer),
      once(this.child, 'exit', { signal }).then(([code, name]) => ({
        outcome: 'ended',
        error: `${name ?? code}\n${this.output}`,
      })),
      watching(),
    ];
    try {
      return await Promise.race(ways);
    } finally {
      stop.abort();
      await Promise.allSettled(ways);
    }
  }

  processorSeconds() {
    const { pid } = this.child;
    const fields = existsSync(`/proc/${pid}/stat`)
      ? readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ')
      : [];
    return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / CLOCK_TICKS;
  }

  /** Reads a file; also tells the time and the memory that it took. */
  async read(kind, path, patience = PATIENCE_S) {
    const { pid } = this.child;
    // The kernel forgets the largest size so far.
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
    const before = this.memory('VmRSS');
    const worked = this.processorSeconds();
    this.child.send({ kind, path });
    const answer = await this.answer(patience);
    const seconds = answer.outcome === 'ended' ? 0 : this.processorSeconds() - worked;
    const bytes = answer.outcome === 'ended' ? 0 : Math.max(0, this.memory('VmHWM') - before);
    const excess = bytes > MEMORY ? { outcome: 'large', error: `${bytes} bytes of memory` } : {};
    return { ...answer, seconds, bytes, ...excess, ...written() };
  }

  memory(name) {
    const [, kilobytes = 0] =
      new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8')) ?? [];
    return Number(kilobytes) * 1024;
  }

  async end() {
    const ended = this.child.exitCode ?? this.child.signalCode ?? once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}

/** Compiles the library that sees writes. */
function watch() {
  const library = at('watch-writes.so');
  if (!existsSync(library))
    execFileSync(process.env.CXX || 'g++', [
      '-x',
      'c',
      '-shared',
      '-fPIC',
      '-O1',
      '-o',
      library,
      here('watch-writes.c'),
      '-ldl',
    ]);
  return { LD_PRELOAD: library, WATCH_FOLDER: at('out'), WATCH_LOG: at('writes') };
}

/** What was written elsewhere since the last call. */
function written() {
  const calls = readFileSync(at('writes'), 'utf8');
  if (calls === '') return {};
  truncateSync(at('writes'));
  return { outcome: 'wrote elsewhere', error: calls };
}

/** Provokes everything that must be noticed. */
async function checkWatch() {
  const provoked = { outside: 'wrote elsewhere', large: 'large', ended: 'ended', hung: 'hung' };
  let reader = await Reader.start();
  for (const [kind, expected] of Object.entries(provoked)) {
    const { outcome } = await reader.read(kind, at('cwd/canary'), kind === 'hung' ? 0.5 : PATIENCE_S);
    if (outcome !== expected) throw new Error(`expected that the watch notices "${expected}", it said ${outcome}`);
    if (outcome === 'ended' || outcome === 'hung') {
      await reader.end();
      reader = await Reader.start();
    }
  }
  return reader;
}

function write(path, files) {
  rmSync(path, { recursive: true, force: true });
  for (const [name, bytes] of files) {
    const target = name === '' ? path : join(path, name);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, bytes);
  }
}

async function fuzz() {
  for (const name of ['out', 'cwd', 'in']) mkdirSync(at(name));
  writeFileSync(at('writes'), '');
  const seeds = await makeSeeds(at('seeds'));
  write(at('photo.png'), seeds.find(({ name }) => name === 'plain.png').files);
  let reader = await checkWatch();
  const outcomes = {};
  const [most, good] = [{ seconds: 0, bytes: 0 }, ['read', 'refused']];
  const note = (format, outcome) => {
    outcomes[format] ??= {};
    outcomes[format][outcome] = (outcomes[format][outcome] ?? 0) + 1;
  };
  for (const { name, kind, hints, files } of new Set(seeds)) {
    write(at(`in/${name}`), files);
    const { outcome, error } = await reader.read(kind, at(`in/${name}${hints}`));
    if (outcome !== 'read') throw new Error(`${name} is ${outcome} undamaged: ${error}`);
    rmSync(at(`in/${name}`), { recursive: true });
  }
  for (let round = 0; round < count; round++) {
    const random = Random.from(seed, round);
    const chosen = seeds[round % seeds.length];
    const other = random.pick([...random.pick(seeds).files.values()]);
    // A name of its own for each: what was read may be remembered by name.
    const name = `${round}-${chosen.name}`;
    const path = at(`in/${name}`);
    write(path, damageFile(random, chosen, other, at('scratch')));
    const { outcome, error, seconds, bytes } = await reader.read(chosen.kind, path + chosen.hints);
    note(chosen.format, outcome);
    if (seconds > most.seconds) Object.assign(most, { seconds, slowest: name });
    if (bytes > most.bytes) Object.assign(most, { bytes, largest: name });
    if (!good.includes(outcome)) {
      mkdirSync(keep, { recursive: true });
      cpSync(path, join(keep, name), { recursive: true });
      appendFileSync(join(keep, 'messages.txt'), `${name}: ${outcome}: ${error}\n\n`);
      console.error(`${name}: ${outcome}: ${error}`);
    }
    if (outcome === 'ended' || outcome === 'hung') {
      await reader.end();
      reader = await Reader.start();
    }
    rmSync(path, { recursive: true });
    if (round % 500 === 499) console.error(`${round + 1} of ${count}`);
  }
  await reader.end();
  const wrong = Object.values(outcomes)
    .flatMap((byOutcome) => Object.entries(byOutcome))
    .reduce((sum, [outcome, times]) => sum + (good.includes(outcome) ? 0 : times), 0);
  return { files: count, seed, wrong, outcomes, ...most, ...(wrong > 0 && { kept: keep }) };
}

try {
  const result = await fuzz();
  console.log(JSON.stringify(result));
  process.exitCode = result.wrong > 0 ? 1 : 0;
} finally {
  if (!existsSync(keep) || values.keep !== undefined) rmSync(folder, { recursive: true, force: true });
}
