import type { Canvas } from './canvas.js';
import type { Texel } from './materials.js';
import { smoothstep } from './noise.js';
import type { Layer, Light } from './plan.js';

/** How high one sheet lies above the next, as the length of its shadow (image sides). */
const lift = 0.022;

/** Paints the sheets of material; each casts a soft shadow on those below. Pixel classes are the materials' ids. */
export function drawLayers(canvas: Canvas, layers: readonly Layer[], light: Light): void {
  const { size } = canvas;
  const outlines = layers.map((layer, i) => measureOutline(layer, i === 0 ? 0 : size));
  const stepX = Math.floor(light.x * lift * size);
  const stepY = Math.floor(light.y * lift * size);
  const texel: Texel = { mix: 0, cell: 0 };
  for (let row = 0, at = 0; row < size; row++) {
    const lit = Math.min(size - 1, Math.max(0, row + stepY)) * size;
    for (let column = 0; column < size; column++, at++) {
      const towards = lit + Math.min(size - 1, Math.max(0, column + stepX));
      let top = layers.length - 1;
      let shade = 1;
      while (top > 0 && outlines[top]![at]! > 0) {
        const reach = outlines[top]![towards]!;
        if (reach < 0.03) shade = Math.min(shade, 0.55 + 0.45 * smoothstep(-0.015, 0.03, reach));
        top--;
      }
      const layer = layers[top]!;
      sampleLayer(layer, (column + 0.5) / size, (row + 0.5) / size, size, texel);
      const drift = Math.min(0.999, Math.max(0, texel.cell)) * layer.paints.length;
      const step = Math.floor(drift);
      canvas.lay(at, layer.paints[step]!, drift - step, texel.mix, shade, 1);
      canvas.pixels[at] = layer.material;
    }
  }
}

function sampleLayer(layer: Layer, x: number, y: number, size: number, texel: Texel): void {
  const depth = 1 + layer.nearX * (x - 0.5) + layer.nearY * (y - 0.5);
  const scale = 1 / (layer.period * depth);
  const u = (layer.cos * x + layer.sin * y) * scale;
  const v = (layer.cos * y - layer.sin * x) * scale;
  layer.texture(u, v, (1.2 * scale) / size, texel);
}

function measureOutline(layer: Layer, size: number): Float32Array {
  const { outline } = layer;
  const distances = new Float32Array(size * size);
  for (let row = 0, at = 0; row < size; row++) {
    for (let column = 0; column < size; column++, at++) {
      distances[at] = outline((column + 0.5) / size, (row + 0.5) / size);
    }
  }
  return distances;
}
