import { describe, expect, it } from 'vitest';
import type { Measured, ReportEvaluation } from '../../../src/report/report-parts.js';
import { compare, verdictOf } from '../../../src/report/verdict.js';

const about = (value: number, half = 2): Measured => ({ value, interval: [value - half, value + half] });
const evaluation = (trained: Measured, untrained?: Measured, colourAndPosition?: Measured): ReportEvaluation => ({
  name: 'k-NN',
  metric: 'top-1 accuracy',
  trained,
  ...(untrained && { untrained }),
  ...(colourAndPosition && { colourAndPosition }),
});

describe('a comparison', () => {
  it('needs intervals that do not overlap', () => {
    expect(compare(about(50), about(45))).toBe('better');
    expect(compare(about(50), about(47))).toBe('unclear');
    expect(compare(about(45), about(50))).toBe('worse');
    expect(compare({ value: 90 }, { value: 10 })).toBe('unclear');
  });
});

describe('the verdict', () => {
  it('is good only where everything is clearly better', () => {
    const good = verdictOf([evaluation(about(70), about(30), about(20))]);
    expect(good.tone).toBe('good');
    expect(good.headline).toContain('more than colour and position');
    expect(good.sentences).toEqual([
      'k-NN: top-1 accuracy 70.0 % (68.0 to 72.0); untrained 30.0 % (28.0 to 32.0), 40.0 points better; 50.0 points better than colour and position.',
    ]);
  });

  it.each([
    ['in 1 of 2 evaluations', [evaluation(about(70), about(30)), evaluation(about(31), about(30))]],
    ['No clear difference', [evaluation(about(31), about(30))]],
    ['colour and position tell', [evaluation(about(70), about(30), about(69))]],
    ['Not yet compared', [evaluation(about(70))]],
    ['Not yet compared', []],
  ])('is unclear: %s', (text, evaluations) => {
    const verdict = verdictOf(evaluations);
    expect(verdict.tone).toBe('unclear');
    expect(verdict.headline).toContain(text);
  });

  it('is bad where anything is clearly worse', () => {
    const verdict = verdictOf([evaluation(about(70), about(30)), evaluation(about(20), about(30))]);
    expect(verdict).toMatchObject({ tone: 'bad' });
    expect(verdict.sentences[1]).toContain('10.0 points worse');
  });

  it('says where a difference may be chance', () => {
    expect(verdictOf([evaluation(about(31), about(30))]).sentences[0]).toContain('1.0 points better (may be chance)');
  });
});
