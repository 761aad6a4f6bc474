import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alignmentLoss, type LocalPairs, type Swap } from '../../../src/methods/mim-refiner/alignment-loss.js';
import { IdHead } from '../../../src/methods/mim-refiner/id-head.js';
import { NeighbourQueue } from '../../../src/methods/mim-refiner/neighbour-queue.js';
import { Generator } from '../../../src/tensor/generator.js';
import * as ops from '../../../src/tensor/ops.generated.js';
import { gradients, liveTensors, scope, type Tensor } from '../../../src/tensor/tensor.js';
import { expectClose, withPrefix } from '../../support/goldens.js';
import { ownHeadName, refinerGolden, refinerTensors } from '../../support/refiner-goldens.js';

/** 2-norm of the difference over the 2-norm: the bar of goldens that state none. */
const BAR = 1e-4;

describe.skipIf(refinerGolden === undefined)('heads of the published MIM-Refiner', () => {
  if (refinerGolden === undefined) return;
  const { config, notes } = refinerGolden;
  const at = (name: string): Tensor => {
    const tensor = refinerTensors.get(name);
    if (!tensor) throw new Error(`no golden ${name}`);
    return tensor;
  };
  const near = (actual: number, expected: number) =>
    expect(Math.abs(actual - expected)).toBeLessThanOrEqual(BAR * Math.abs(expected) + 1e-7);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  let before: number;
  beforeAll(() => (before = liveTensors().tensors));
  afterAll(() => expect(liveTensors().tensors).toBe(before));

  /** (B, views, E) as published to views first. */
  const viewsFirst = (tensor: Tensor) => ops.contiguous(ops.transpose(tensor, 0, 1));

  describe.each(['queue.top1', 'queue.topk', 'queue.exact_fill'] as const)('%s', (name) => {
    const { size, topk, calls } = notes[name]!;

    it('finds the neighbours, ages and wraps', () => {
      using generator = new Generator(0);
      using queue = new NeighbourQueue(size, config.queue_dim!, generator);
      queue.load(withPrefix(refinerTensors, `${name}.init.`));
      for (const [index, call] of calls.entries()) {
        scope(() => {
          const part = (key: string) => at(`${name}.call${index}.${key}`);
          const images = { indices_B: part('idx'), labels_B: part('cls') };
          const candidates = queue.candidates(part('x'), topk, call.train ? images.indices_B : undefined);
          expect(candidates.numbers()).toEqual(part('candidates').numbers());
          const found = queue.take(part('x'), part('chosen'), images.labels_B);
          expectClose(found.neighbours_NE, part('neighbours'), 0);
          near(found.similarity.item(), call.metrics['nn-similarity']);
          near(found.age.item(), mean(call.metrics['nn-age']));
          near(found.accuracy.item(), mean(call.metrics['nn-accuracy']));
          if (call.train) queue.add(ops.narrow(part('x'), 0, 0, images.indices_B.length), images);
          for (const [key, value] of queue.state()) expectClose(value, part(`after.${key}`), 0, key);
        });
      }
    });
  });

  describe.each([
    ['nna', 'nna', 'published'],
    ['swap-all', 'allswap', 'published'],
    ['no-swap', 'noswap', 'published'],
    ['nna', 'nna_offset', 'intended'],
    ['swap-all', 'allswap_offset', 'intended'],
    ['no-swap', 'noswap_offset', 'intended'],
    ['nna', 'nna_globals_only', 'published'],
  ] as const)('loss %s (%s)', (swap: Swap, kind, localPairs: LocalPairs) => {
    it('has the published values and gradients', () => {
      scope(() => {
        const { temperature, losses, infos, predicted_views_with_zero_gradient } = notes[`loss.${kind}`]!;
        const gradient = at(`loss.${kind}.grad_predicted`);
        const predicted = viewsFirst(ops.narrow(at('loss.predicted'), 1, 0, gradient.size(1)));
        predicted.requiresGrad = true;
        const result = alignmentLoss(
          {
            projected_IBE: viewsFirst(at('loss.projected_preswap')),
            neighbours_IBE: viewsFirst(at('loss.projected_postswap')),
            predicted_JBE: predicted,
          },
          { temperature, swap, localPairs },
        );
        near(result.total.item(), losses.total!);
        near(result.globalLoss.item(), losses.global_loss!);
        if (losses.local_loss !== undefined) near(result.localLoss!.item(), losses.local_loss);
        // The published swap-all loss reports no alignment.
        if (infos.global_alignment !== undefined) near(result.globalAlignment.item(), infos.global_alignment);
        if (infos.local_alignment !== undefined) near(result.localAlignment!.item(), infos.local_alignment);
        const [found] = gradients([result.total], [predicted]);
        expectClose(viewsFirst(found!), gradient, BAR, 'gradient');
        for (const view of predicted_views_with_zero_gradient)
          expect(ops.norm(ops.select(found!, 0, view)).item()).toBe(0);
      });
    });
  });

  it('computes a head with batch norm, queue and gradients', () => {
    using generator = new Generator(0);
    const sizes = { projectorWidth: config.proj!, predictorWidth: config.pred!, outputWidth: config.proj_out! };
    using head = new IdHead({ width: config.dim!, ...sizes, queueSize: config.queue!, momentum: false }, generator);
    head.load(new Map([...withPrefix(refinerTensors, 'head.init.')].map(([key, value]) => [ownHeadName(key), value])));
    const { temperature, losses, infos, metrics } = notes.head;
    scope(() => {
      const x = ops.clone(at('head.x'));
      x.requiresGrad = true;
      const images = { indices_B: at('head.idx'), labels_B: at('head.cls') };
      const out = head.forward({ x_ND: x, images, globalViews: 2, topK: 1, picks: generator });
      const views = (tensor: Tensor) => ops.unflatten(tensor, 0, [-1, images.indices_B.length]);
      expectClose(out.projected_GE, at('head.train.projected_preswap'), BAR);
      expectClose(out.neighbours_NE, at('head.train.projected_postswap'), BAR);
      expectClose(out.predicted_NE, at('head.train.predicted'), BAR);
      expect(out.projected_GE.requiresGrad).toBe(false);
      near(out.similarity.item(), metrics['nn-similarity']!);
      const inputs = { projected: out.projected_GE, neighbours: out.neighbours_NE, predicted: out.predicted_NE };
      const loss = alignmentLoss(
        {
          projected_IBE: views(inputs.projected),
          neighbours_IBE: views(inputs.neighbours),
          predicted_JBE: views(inputs.predicted),
        },
        { temperature, swap: 'nna', localPairs: 'published' },
      );
      near(loss.total.item(), losses.total!);
      near(loss.localAlignment!.item(), infos.local_alignment!);
      const after = withPrefix(refinerTensors, 'head.after.');
      for (const [key, value] of after) expectClose(head.state().get(ownHeadName(key))!, value, BAR, key);

      loss.total.backward();
      expectClose(x.grad!, at('head.grad.x'), BAR, 'gradient of x');
      for (const [key, value] of withPrefix(refinerTensors, 'head.grad.')) {
        if (key === 'x') continue;
        const gradient = head.state().get(ownHeadName(key))!.grad!;
        // Zero in exact arithmetic: rounding noise in float32.
        if (key === 'projector.2.1.bias') expect(ops.amax(gradient, []).item()).toBeLessThan(1e-6);
        else expectClose(gradient, value, BAR, key);
      }
      const judged = head.evaluate(at('head.x'));
      expectClose(judged.projected_NE, at('head.eval.projected'), BAR);
      expectClose(judged.predicted_NE, at('head.eval.predicted'), BAR);
    });
    for (const [, parameter] of head.parameters()) parameter.grad = null;
  });
});
