import { whyUnusableLibjpeg } from '../../engine/find-libjpeg.js';
import { imageLibraries } from '../../engine/installation.js';
import { pinnedVersion } from '../../engine/locate-libtorch.js';
import { byteText } from '../../support/byte-text.js';
import { type CommandResult, cardText } from '../output.js';
import { type EngineReport, examineEngine } from './examine-engine.js';
import { examineMachine, type Machine } from './examine-machine.js';

/** Something that is missing and what to do about it. */
interface Problem {
  readonly problem: string;
  readonly remedy: string;
}

interface Images {
  readonly version: string;
  readonly formats: readonly string[];
  /** What decodes JPEG files, in words. */
  readonly jpeg: string;
}

/** `tessera doctor`: JSON `{ok, problems, notes, machine, engine, images}`; exit code 1 when there is a problem. */
export async function doctor(): Promise<CommandResult> {
  const [machine, engine, images] = await Promise.all([examineMachine(), examineEngine(), examineImages()]);
  const problems = [...machineProblems(machine, engine), ...engineProblems(engine), ...imageProblems(images)];
  const notes = listNotes(machine, engine);
  const ok = problems.length === 0;
  const card = [
    machineCard(machine),
    engineCard(engine),
    cardText('images', [
      ['sharp', images ? `${images.version}: ${images.formats.join(', ')}` : 'does not load'],
      ['JPEG', images?.jpeg],
    ]),
    ...notes.map((note) => `note: ${note}`),
    ...problems.map(({ problem, remedy }) => `problem: ${problem}\n  ${remedy}`),
    ok ? 'everything is there' : `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`,
  ].join('\n\n');
  return {
    card,
    json: { ok, problems, notes, machine, engine, images: images ?? null },
    exitCode: ok ? 0 : 1,
  };
}

/** sharp and the formats that it reads. It is a native package too, and may be missing for this platform. */
async function examineImages(): Promise<Images | undefined> {
  try {
    const { default: sharp } = await import('sharp');
    const formats = Object.entries(sharp.format).filter(([, format]) => format.input.buffer);
    const jpeg = await examineJpeg();
    return { version: sharp.versions.sharp ?? 'unknown', formats: formats.map(([name]) => name), jpeg };
  } catch {
    return undefined;
  }
}

async function examineJpeg(): Promise<string> {
  const libraries = imageLibraries();
  if (libraries === undefined) return 'by sharp, slower: the addon for images is not built';
  const { addon, libjpeg } = libraries;
  if (libjpeg === undefined) return 'by sharp, slower: setup found no libjpeg-turbo';
  const reason = await whyUnusableLibjpeg(addon, libjpeg);
  return reason === undefined ? `by libjpeg-turbo: ${libjpeg}` : `by sharp, slower: ${libjpeg}: ${reason}`;
}

function machineProblems({ tools }: Machine, { libtorch, addon }: EngineReport): Problem[] {
  const problems: Problem[] = [];
  if (!addon.upToDate && !tools.compiler) {
    problems.push({ problem: 'no C++ compiler', remedy: 'apt-get install -y g++, or set CXX' });
  }
  if (!libtorch && !tools.pip) {
    problems.push({
      problem: 'no Python with pip to download libtorch',
      remedy: 'apt-get install -y python3 python3-pip',
    });
  }
  return problems;
}

function engineProblems({ problem }: EngineReport): Problem[] {
  return problem === undefined ? [] : [{ problem, remedy: 'npm run setup (or: tessera setup)' }];
}

function imageProblems(images: Images | undefined): Problem[] {
  if (images) return [];
  return [{ problem: 'the image library sharp does not load', remedy: 'npm ci --include=optional' }];
}

function listNotes({ platform, nvidiaDriver }: Machine, { loaded, libtorch }: EngineReport): string[] {
  const notes: string[] = [];
  if (!platform.tested) notes.push('tested is Linux on x86-64 with glibc 2.28 or newer; this platform is best effort');
  if (loaded && loaded.version.split('+')[0] !== pinnedVersion) {
    notes.push(
      `stored numbers in tests are held to libtorch ${pinnedVersion}; ${loaded.version} may differ in the last digits`,
    );
  }
  if (nvidiaDriver && libtorch && !libtorch.cuda) {
    notes.push('there is an NVIDIA GPU, but this libtorch has no CUDA: install PyTorch with pip, then npm run setup');
  }
  if (libtorch?.cuda && loaded && !loaded.cuda)
    notes.push('libtorch has CUDA, but finds no GPU: training runs on the CPU');
  return notes;
}

function machineCard({ node, platform, processor, memory, disk, tools }: Machine): string {
  const glibc = platform.glibc ? `, glibc ${platform.glibc}` : '';
  return cardText('machine', [
    ['Node', node],
    ['platform', `${platform.system} ${platform.arch}${glibc} (${platform.tested ? 'tested' : 'best effort'})`],
    ['processor', `${processor.model}, ${processor.cores} cores, ${processor.vector.join(' ') || 'no vector flags'}`],
    ['memory', `${byteText(memory.total)}, ${byteText(memory.free)} free`],
    ['disk', `${byteText(disk.checkout)} free here, ${byteText(disk.cache)} in the cache folder`],
    ['compiler', tools.compiler ?? 'none'],
    ['Python', tools.python ?? 'none'],
    ['pip', tools.pip ?? 'none'],
  ]);
}

function engineCard({ places, libtorch, addon, loaded }: EngineReport): string {
  const cuda = loaded?.cuda ? 'with a GPU' : 'CPU only';
  const vectors = `${loaded?.cpuCapability}${loaded?.tiles ? ' and AMX' : ''}`;
  return [
    cardText('engine', [
      ['addon', addon.upToDate ? `up to date: ${addon.path}` : `not ready: ${addon.reason}`],
      ['libtorch', loaded && `${loaded.version}, ${vectors}, ${loaded.threads} threads, ${cuda}`],
    ]),
    '  looked for libtorch in this order',
    ...places.map(({ origin, place, found }) => `  ${origin === libtorch?.origin ? '>' : ' '} ${place}: ${found}`),
  ].join('\n');
}
