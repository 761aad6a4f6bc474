import type { Brush } from './brush.js';
import type { Canvas } from './canvas.js';
import { length, smoothstep } from './noise.js';
import type { Light, PlacedObject } from './plan.js';

const ambient = 0.42;
/** Half side of the square that holds an object in any direction, in object radii. */
const extent = 1.25;
const outside = 1;

/** Distances (object radii) to an object's outline, on the pixels of a rectangle; `outside` beyond the extent. */
interface Field {
  left: number;
  top: number;
  width: number;
  height: number;
  values: Float32Array;
}

/** Paints one object with its shading and its shadow; pixels it covers by half or more get `pixelClass`. */
export function drawObject(canvas: Canvas, object: PlacedObject, light: Light, pixelClass: number): void {
  const { size } = canvas;
  const field = measure(size, object);
  castShadow(canvas, object, light, field);
  const { paint, rim } = object.form;
  const blur = 1 / (object.radius * size);
  const brush: Brush = { mix: 0, cell: 0, pair: 0, slopeX: 0, slopeY: 0 };
  // The outermost pixels of the field lack neighbours; they lie outside the object or outside the image.
  for (let y = 1; y < field.height - 1; y++) {
    for (let x = 1; x < field.width - 1; x++) {
      const i = y * field.width + x;
      const cover = smoothstep(blur * 0.6, -blur * 0.6, field.values[i]!);
      if (cover === 0) continue;
      const u = toObjectX(object, (field.left + x + 0.5) / size, (field.top + y + 0.5) / size);
      const v = toObjectY(object, (field.left + x + 0.5) / size, (field.top + y + 0.5) / size);
      brush.mix = brush.pair = brush.slopeX = brush.slopeY = 0;
      brush.cell = 0.5;
      paint(u, v, blur, brush);
      const paints = object.paints[brush.pair]!;
      const drift = Math.min(0.999, Math.max(0, brush.cell)) * paints.length;
      const step = Math.floor(drift);
      const at = (field.top + y) * size + field.left + x;
      canvas.lay(at, paints[step]!, drift - step, brush.mix, shade(object, rim, brush, light, field, i), cover);
      if (cover >= 0.5) canvas.pixels[at] = pixelClass;
    }
  }
}

/** The field has a border of one pixel around what is visible of the object, also outside the image. */
function measure(size: number, object: PlacedObject): Field {
  const reach = object.radius * extent;
  const clip = (pixel: number) => Math.min(size, Math.max(-1, Math.floor(pixel)));
  const left = clip((object.x - reach) * size);
  const top = clip((object.y - reach) * size);
  const width = clip((object.x + reach) * size) - left + 1;
  const height = clip((object.y + reach) * size) - top + 1;
  const { distance } = object.form;
  const values = new Float32Array(width * height).fill(outside);
  for (let row = 0, i = 0; row < height; row++) {
    const y = (top + row + 0.5) / size;
    for (let column = 0; column < width; column++, i++) {
      const x = (left + column + 0.5) / size;
      const u = toObjectX(object, x, y);
      const v = toObjectY(object, x, y);
      if (u * u + v * v < extent * extent) values[i] = distance(u, v);
    }
  }
  return { left, top, width, height, values };
}

function castShadow(canvas: Canvas, object: PlacedObject, light: Light, field: Field): void {
  const { size } = canvas;
  const height = (0.16 * object.radius * size) / light.z;
  const left = field.left - Math.floor(light.x * height);
  const top = field.top - Math.floor(light.y * height);
  for (let y = Math.max(0, -top); y < Math.min(field.height, size - top); y++) {
    for (let x = Math.max(0, -left); x < Math.min(field.width, size - left); x++) {
      const distance = field.values[y * field.width + x]!;
      if (distance < 0.16) canvas.dim((top + y) * size + left + x, 1 - 0.55 * smoothstep(0.16, -0.12, distance));
    }
  }
}

/** Brightness of a point: the rounded rim and the object's own slopes, lit from one side. */
function shade(object: PlacedObject, rim: number, brush: Brush, light: Light, field: Field, i: number): number {
  const slopeX = object.scaleX < 0 ? -brush.slopeX : brush.slopeX;
  let x = object.sin * brush.slopeY - object.cos * slopeX;
  let y = -object.sin * slopeX - object.cos * brush.slopeY;
  let z = 1;
  const { values, width } = field;
  const depth = Math.max(0, -values[i]!);
  if (depth < rim) {
    const lean = 1 - depth / rim;
    const gx = values[i + 1]! - values[i - 1]!;
    const gy = values[i + width]! - values[i - width]!;
    const steep = length(gx, gy) || 1;
    x += (lean * gx) / steep;
    y += (lean * gy) / steep;
    z = Math.sqrt(1 - lean * lean);
  }
  const facing = (x * light.x + y * light.y + z * light.z) / Math.sqrt(x * x + y * y + z * z);
  return ambient + (1 - ambient) * Math.min(1.7, Math.max(0, facing) / light.z);
}

/** A place in the image, in the object's own frame. */
function toObjectX(object: PlacedObject, x: number, y: number): number {
  return (object.cos * (x - object.x) + object.sin * (y - object.y)) * object.scaleX;
}

function toObjectY(object: PlacedObject, x: number, y: number): number {
  return (object.cos * (y - object.y) - object.sin * (x - object.x)) * object.scaleY;
}
