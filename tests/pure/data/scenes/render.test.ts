import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type RenderedScene,
  renderScene,
  sceneClasses,
  sceneLabel,
  scenePixelClasses,
} from '../../../../src/data/scenes/render.js';

const size = 48;
const addresses = Array.from({ length: 480 }, (_, index) => ({ seed: 5, split: 'train', index }));
const scenes = addresses.map((address) => renderScene({ ...address, size }));

function digest({ rgb, label, pixels }: RenderedScene): string {
  return createHash('sha256').update(rgb).update(pixels).update(`${label}`).digest('hex').slice(0, 16);
}

function meanColour({ rgb }: RenderedScene): number[] {
  const sums = [0, 0, 0];
  rgb.forEach((value, i) => {
    sums[i % 3]! += value;
  });
  return sums.map((sum) => sum / (rgb.length / 3));
}

describe('renderScene', () => {
  it('gives the bytes it gave when the data set was fixed', () => {
    expect(digest(renderScene({ seed: 0, split: 'train', index: 0, size: 96 }))).toBe('945fa2078ca49ab1');
    expect(digest(renderScene({ seed: 0, split: 'val', index: 7, size: 64 }))).toBe('70515066987f9838');
    expect(digest(renderScene({ seed: 2 ** 40, split: 'train', index: 4095, size: 72 }))).toBe('717fa0b59e2be0d0');
  });

  it('depends on seed, split and index, and on nothing rendered before', () => {
    const at = (seed: number, split: string, index: number) => digest(renderScene({ seed, split, index, size }));
    expect(at(5, 'train', 3)).toBe(digest(scenes[3]!));
    expect(new Set([at(5, 'train', 3), at(6, 'train', 3), at(5, 'val', 3), at(5, 'train', 4)]).size).toBe(4);
    expect(new Set(scenes.map(digest)).size).toBe(scenes.length);
  });

  it('fills images of any size, and shows the same scene at each', () => {
    for (const side of [16, 33, 64]) {
      const scene = renderScene({ ...addresses[0]!, size: side });
      expect(scene.rgb.length).toBe(side * side * 3);
      expect(scene.pixels.length).toBe(side * side);
      expect(scene.label).toBe(scenes[0]!.label);
      const colours = meanColour(scenes[0]!);
      meanColour(scene).forEach((value, channel) => {
        expect(Math.abs(value - colours[channel]!)).toBeLessThan(8);
      });
    }
  });

  it('labels the two materials of the place, under an object that can be seen', () => {
    scenes.forEach((scene, i) => {
      expect(sceneLabel(addresses[i]!)).toBe(scene.label);
      const names = [...new Set(scene.pixels)].map((pixel) => scenePixelClasses[pixel]!);
      const shown = names.filter((name) => sceneClasses.some((place) => place.split(' and ').includes(name)));
      expect(shown.length).toBeGreaterThan(0);
      for (const material of shown) expect(sceneClasses[scene.label]!.split(' and ')).toContain(material);
      const covered = scene.pixels.filter((pixel) => !shown.includes(scenePixelClasses[pixel]!)).length;
      expect(covered).toBeGreaterThan(0.04 * size * size);
    });
  });

  it('shows every class of images and of pixels, about equally often', () => {
    const images = new Array(sceneClasses.length).fill(0);
    const pixels = new Array(scenePixelClasses.length).fill(0);
    for (const scene of scenes) {
      images[scene.label]++;
      for (const pixel of new Set(scene.pixels)) pixels[pixel]++;
    }
    const expected = scenes.length / sceneClasses.length;
    for (const count of images) expect(Math.abs(count - expected)).toBeLessThan(4.5 * Math.sqrt(expected));
    for (const count of pixels) expect(count).toBeGreaterThan(expected / 2);
    expect(pixels.length).toBe(20);
  });

  it('is mistaken for another more often than not by its mean colour', () => {
    const half = scenes.length / 2;
    const means = sceneClasses.map((_, label) => {
      const colours = scenes
        .slice(0, half)
        .filter((scene) => scene.label === label)
        .map(meanColour);
      return [0, 1, 2].map((channel) => colours.reduce((sum, c) => sum + c[channel]!, 0) / colours.length);
    });
    const right = scenes.slice(half).filter((scene) => {
      const colour = meanColour(scene);
      const far = means.map((mean) => mean.reduce((sum, value, c) => sum + (value - colour[c]!) ** 2, 0));
      return far.indexOf(Math.min(...far)) === scene.label;
    });
    expect(right.length / half).toBeLessThan(0.5);
  });

  it('is neither flat nor burnt out', () => {
    for (const { rgb } of scenes) {
      const mean = rgb.reduce((sum, value) => sum + value, 0) / rgb.length;
      const spread = Math.sqrt(rgb.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rgb.length);
      expect(mean).toBeGreaterThan(50);
      expect(mean).toBeLessThan(205);
      expect(spread).toBeGreaterThan(12);
      expect(rgb.filter((value) => value === 0 || value === 255).length).toBeLessThan(0.3 * rgb.length);
    }
  });
});
