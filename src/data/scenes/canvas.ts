/** A picture in the making: linear light, and the class of every pixel. */
export class Canvas {
  /** size x size x 3, linear red, green, blue. */
  readonly light: Float32Array;
  /** size x size class ids. */
  readonly pixels: Uint8Array;

  constructor(readonly size: number) {
    this.light = new Float32Array(size * size * 3);
    this.pixels = new Uint8Array(size * size);
  }

  /**
   * Lays a mix of four colours, times `brightness`, over a pixel.
   *
   * @param paint two pairs of colours, 12 numbers (see `ColourPair`)
   * @param drift from the first pair (0) to the second (1)
   * @param mix from the first colour of the pairs (0) to the second (1)
   * @param cover how much of the pixel is covered, in [0, 1]
   */
  lay(at: number, paint: Float32Array, drift: number, mix: number, brightness: number, cover: number): void {
    const { light } = this;
    const rest = 1 - cover;
    const share = brightness * cover;
    const b = share * mix * (1 - drift);
    const a = share * (1 - drift) - b;
    const d = share * mix * drift;
    const c = share * drift - d;
    for (let channel = 0, i = at * 3; channel < 3; channel++, i++) {
      const first = paint[channel]! * a + paint[channel + 3]! * b;
      const second = paint[channel + 6]! * c + paint[channel + 9]! * d;
      light[i] = light[i]! * rest + first + second;
    }
  }

  /** Darkens a pixel; shadows are a little blue, as the sky lights them. */
  dim(at: number, factor: number): void {
    const { light } = this;
    light[at * 3] = light[at * 3]! * factor;
    light[at * 3 + 1] = light[at * 3 + 1]! * factor;
    light[at * 3 + 2] = light[at * 3 + 2]! * (0.08 + 0.92 * factor);
  }
}
