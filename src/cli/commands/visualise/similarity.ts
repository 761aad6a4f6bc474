import type { Command } from 'commander';
import type { Point } from '../../../visualise/similarity-sheet.js';
import type { OptionReader, RawOptions } from '../../option-reader.js';
import { defineAction } from '../../run-command.js';
import { addEncoderOptions, readEncoderOptions } from './encoder-options.js';

/** `tessera visualise similarity`. */
export function register(visualise: Command): void {
  const command = visualise
    .command('similarity')
    .summary('which patches are like the one at a point')
    .description('Draws how similar the features of all patches are to those of the patch at a point of the image.');
  addEncoderOptions(command, 'similarity', 'number of images (default: 8)')
    .option('--at <points...>', 'x,y from the left and upper edge, from 0 to 1; one or several (default: 0.5,0.5)')
    .option('--across', 'compare all images with the points of the first one, instead of each with its own');
  const examples = [
    'visualise similarity --model runs/first --data photos/',
    'visualise similarity --model runs/first --data photos/ --at 0.3,0.5 0.8,0.1',
    'visualise similarity --model runs/first --data photos/ --at 0.5,0.6 --across --count 4 --size 448',
  ];
  defineAction(command, examples, async (raw: RawOptions) => {
    const options = readEncoderOptions(raw, 'visualise similarity', (read) => ({
      points: raw.at === undefined ? [{ x: 0.5, y: 0.5 }] : readPoints(read),
      across: read.flag('across'),
    }));
    const { visualiseSimilarity } = await import('../../actions/visualise-similarity.js');
    return visualiseSimilarity(options);
  });
}

function readPoints(read: OptionReader): Point[] {
  return read.list('at', 'points, for example --at 0.3,0.5').flatMap((text) => {
    const [x = Number.NaN, y = Number.NaN, ...more] = text
      .split(',')
      .map((part) => (part === '' ? Number.NaN : Number(part)));
    if (more.length === 0 && x >= 0 && x < 1 && y >= 0 && y < 1) return [{ x, y }];
    read.wrong(`--at: expected x,y with both from 0 to below 1, such as 0.3,0.5, received ${text || 'nothing'}`);
    return [];
  });
}
