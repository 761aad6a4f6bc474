import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EngineError } from '../support/errors.js';
import { pinnedVersion, privateCopy } from './locate-libtorch.js';
import { installWheels } from './pip-wheels.js';
import { withLock } from './set-up-lock.js';

/** Megabytes that the wheels and what is kept of them take together while unpacking. */
const neededMegabytes = 1100;

/** The files of the three wheels that a CPU run or the compiler needs: half of the disk that all of them take. */
const kept = [
  /^torch\/include\//,
  /^torch\/version\.py$/,
  /^torch\/lib\/lib(?:torch_cpu|c10)\.so$/,
  /^torch\/lib\/libgomp[^/]*$/,
  /^nvidia\/cu13\/lib\/lib(?:cupti|cudart)\.so\.13$/,
  /\.dist-info\/licenses\/[^/]+$/,
];

/**
 * Makes the private copy of libtorch in the user's cache folder: downloads the pinned wheels with pip (531 MB, whose
 * mirror and proxy settings count), checks their hashes, unpacks what is needed and removes the wheels. The copy
 * appears at once, complete; a set-up that is interrupted leaves nothing that counts.
 * @param log receives a line before each step; pip's own progress goes to standard error.
 * @throws {EngineError} the platform has no such wheel, pip is missing or failed, or the disk is too small.
 */
export async function installLibtorch(
  log: (line: string) => void,
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  refuseOtherPlatforms();
  const target = privateCopy(env);
  const cache = dirname(target);
  await mkdir(cache, { recursive: true });
  await withLock(`${target}.lock`, log, async () => {
    if (existsSync(join(target, 'torch', 'lib', 'libtorch_cpu.so'))) return;
    await removeLeftovers(target);
    await refuseSmallDisk(cache);
    log(
      `downloading libtorch ${pinnedVersion} with pip: 544 MB (torch, nvidia-cuda-cupti, nvidia-cuda-runtime), 500 MB kept in ${target}`,
    );
    const onDownloaded = () => log('unpacking libtorch');
    const failure = await installWheels('libtorch.requirements.txt', target, { env, kept, onDownloaded });
    if (failure === undefined) return;
    throw new EngineError(`libtorch could not be downloaded: ${failure}.`, {
      hint: 'Check the network and pip (`python3 -m pip --version`; mirrors and proxies are set with PIP_INDEX_URL and HTTPS_PROXY), or set TESSERA_LIBTORCH to a libtorch that is there already.',
    });
  });
}

function refuseOtherPlatforms(): void {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const glibc = header.glibcVersionRuntime;
  const [major = 0, minor = 0] = (glibc ?? '').split('.').map(Number);
  if (process.platform === 'linux' && process.arch === 'x64' && (major > 2 || (major === 2 && minor >= 28))) return;
  const libc = process.platform === 'linux' ? ` with ${glibc ? `glibc ${glibc}` : 'another C library than glibc'}` : '';
  throw new EngineError(
    `The private copy of libtorch needs Linux on x86-64 with glibc 2.28 or newer; this is ${process.platform} on ${process.arch}${libc}.`,
    {
      hint: 'Install PyTorch 2.9 or newer with pip (TESSERA_PYTHON names another Python), then run `npm run setup`.',
    },
  );
}

async function refuseSmallDisk(cache: string): Promise<void> {
  const { bavail, bsize } = await statfs(cache);
  const free = Math.floor((bavail * bsize) / 1e6);
  if (free >= neededMegabytes) return;
  throw new EngineError(
    `Unpacking libtorch needs ${neededMegabytes} MB on the disk of ${cache}, but ${free} MB are free.`,
    {
      hint: 'Free some space, or set TESSERA_CACHE to a folder on another disk.',
    },
  );
}

/** What an interrupted set-up left, and a copy that has lost files. Called under the lock. */
async function removeLeftovers(target: string): Promise<void> {
  const parts = (await readdir(dirname(target))).filter((name) => name.startsWith(`${basename(target)}.part-`));
  for (const name of parts) await rm(join(dirname(target), name), { recursive: true, force: true });
  await rm(target, { recursive: true, force: true });
}
