import { z } from 'zod';
import { poolingOptions } from '../measure/pooling-options.js';

/** How many labelled images there are: so many of each class, or a share of each. */
export const budgets = ['1', '2', '5', '1%', '10%'] as const;

/** Options of `lowshot`. */
export const lowshotOptions = z.strictObject({
  budgets: z
    .array(z.enum(budgets))
    .min(1)
    .default([...budgets])
    .describe('Training images to learn from: so many of each class, or a share of each class, one at least.'),
  splits: z.int().min(1).default(3).describe('Random choices of these images; results are means over them.'),
  c: z
    .number()
    .positive()
    .default(4000)
    .describe('Inverse strength of the penalty; the published 0.00025 / n is 4000 for any number of images.'),
  ...poolingOptions,
});

export type LowshotOptions = z.output<typeof lowshotOptions>;
export type Budget = (typeof budgets)[number];

/** Name of the metric of a budget. */
export const budgetMetric = {
  '1': 'shots1',
  '2': 'shots2',
  '5': 'shots5',
  '1%': 'percent1',
  '10%': 'percent10',
} as const satisfies Record<Budget, string>;
