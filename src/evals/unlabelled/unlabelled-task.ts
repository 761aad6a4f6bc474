import { percent } from '../measure/metric-infos.js';
import { defineTask, type MetricInfo } from '../task.js';
import { unlabelledOptions } from './unlabelled-options.js';

const number = (name: string): MetricInfo => ({ name, unit: '', better: 'higher' });

/** `tessera eval unlabelled`. */
export const unlabelled = defineTask({
  name: 'unlabelled',
  summary: 'how rich features are, without labels',
  description:
    'How many dimensions the features of images use (RankMe), how many of them tell images apart rather than crops of one image ' +
    '(LiDAR), how far features spread (0: all point one way, 1: everywhere), and of a CAPI run how many prototypes the patches ' +
    'use. Compare encoders of one width on the same images; more is better only among otherwise healthy runs.',
  examples: ['--model runs/first --test photos --with-floor'],
  options: unlabelledOptions,
  data: { test: { labels: 'none', help: 'images to look at' } },
  prototypes: true,
  metrics: {
    rankMe: number('RankMe'),
    lidar: number('LiDAR'),
    spread: number('spread of images'),
    patchSpread: number('spread of patches'),
    prototypesInUse: percent('prototypes in use'),
    prototypePerplexity: number('prototype perplexity'),
  },
  async judge(context, options) {
    const { judgeUnlabelled } = await import('./judge-unlabelled.js');
    return judgeUnlabelled(context, options);
  },
});
