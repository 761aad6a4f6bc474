import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { cruise, type ICruiseResult, type IFlattenedRuleSet } from 'dependency-cruiser';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.js';

const { forbidden, options } = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as {
  forbidden: IFlattenedRuleSet['forbidden'];
  options: object;
};

/** Names of the rules that a tree of small modules breaks; `tree` gives the imports of each module. */
async function brokenRules(tree: Record<string, readonly string[]>): Promise<string[]> {
  const baseDir = temporaryFolder();
  for (const [path, imports] of Object.entries(tree)) {
    mkdirSync(dirname(join(baseDir, path)), { recursive: true });
    writeFileSync(join(baseDir, path), imports.map((name) => `import '${name}';`).join('\n'));
  }
  const ruleSet = { forbidden } as IFlattenedRuleSet;
  const { output } = await cruise(['src'], { ...options, baseDir, validate: true, ruleSet });
  return (output as ICruiseResult).summary.violations.map(({ rule }) => rule.name);
}

const addon = { 'src/engine/addon.ts': ['node:module'] };

describe('the layer rules', () => {
  it('allow imports that point down', async () => {
    const tree = {
      ...addon,
      'src/cli/main.ts': ['../methods/capi/capi.js', '../runs/run.js'],
      'src/methods/capi/capi.ts': ['../../train/loop.js', '../../masks/block.js'],
      'src/train/loop.ts': ['../tensor/tensor.js'],
      'src/tensor/tensor.ts': ['../engine/addon.js'],
      'src/masks/block.ts': ['../support/errors.js'],
      'src/runs/run.ts': ['../support/errors.js'],
      'src/support/errors.ts': [],
    };
    expect(await brokenRules(tree)).toEqual([]);
  });

  it.each([
    ['layer-train', { 'src/train/loop.ts': ['../methods/capi/capi.js'], 'src/methods/capi/capi.ts': [] }],
    ['layer-models', { 'src/models/vit.ts': ['../data/loader.js'], 'src/data/loader.ts': [] }],
    ['layer-engine', { 'src/engine/addon.ts': ['../tensor/tensor.js'], 'src/tensor/tensor.ts': [] }],
    ['layer-support', { 'src/support/errors.ts': ['../runs/run.js'], 'src/runs/run.ts': [] }],
    ['layer-methods-capi', { 'src/methods/capi/capi.ts': ['../other/other.js'], 'src/methods/other/other.ts': [] }],
    ['library-knows-no-command-line', { 'src/train/loop.ts': ['../cli/output.js'], 'src/cli/output.ts': [] }],
    ['only-engine-loads-the-addon', { 'src/nn/linear.ts': ['node:module'] }],
    ['no-cycles', { 'src/nn/a.ts': ['./b.js'], 'src/nn/b.ts': ['./a.js'] }],
    ['imports-resolve', { 'src/nn/a.ts': ['./gone.js'] }],
    [
      'works-without-engine',
      {
        ...addon,
        'src/data/worker.ts': ['./decode.js'],
        'src/data/decode.ts': ['../tensor/tensor.js'],
        'src/tensor/tensor.ts': ['../engine/addon.js'],
      },
    ],
  ] as const)('find what breaks %s', async (rule, tree) => {
    expect(await brokenRules(tree)).toContain(rule);
  });
});
