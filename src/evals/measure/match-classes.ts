import { DataError } from '../../support/errors.js';

/**
 * Class ids of test images as those of the training images: the same names need not have the same ids.
 *
 * @param labels ids in `from`
 * @param from class names of the test images
 * @param to class names of the training images
 * @throws {DataError} a test image has a class that the training images lack.
 */
export function matchClasses(labels: Int32Array, from: readonly string[], to: readonly string[]): Int32Array {
  const ids = from.map((name) => to.indexOf(name));
  const unknown = [...new Set(labels)].filter((label) => ids[label] === -1).map((label) => from[label]!);
  if (unknown.length > 0) {
    throw new DataError(
      `Expected training images of every class that is tested, found none of ${unknown.slice(0, 10).join(', ')}` +
        `${unknown.length > 10 ? ` and ${unknown.length - 10} more` : ''}.`,
      { hint: 'Give training and test images with the same class names.' },
    );
  }
  return labels.map((label) => ids[label]!);
}
