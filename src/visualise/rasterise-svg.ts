import { fileURLToPath } from 'node:url';
import { Resvg, type ResvgRenderOptions } from '@resvg/resvg-js';
import type { Raster } from '../data/resample.js';

/** The family to name in SVG; it comes with Tessera, so that text looks the same on a machine without fonts. */
export const fontFamily = 'Inter';

const fontUrls = () => [
  import.meta.resolve('@expo-google-fonts/inter/400Regular/Inter_400Regular.ttf'),
  import.meta.resolve('@expo-google-fonts/inter/600SemiBold/Inter_600SemiBold.ttf'),
];

/** An SVG as a PNG file, `zoom` pixels per unit. Equal input gives equal bytes. */
export function svgToPng(svg: string, zoom = 2): Buffer {
  return new Resvg(svg, options(zoom)).render().asPng();
}

/** An SVG with an opaque background as 8-bit RGB, one pixel per unit. */
export function svgToRaster(svg: string): Raster {
  const { pixels, width, height } = new Resvg(svg, options(1)).render();
  const data = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < 3; channel++) data[pixel * 3 + channel] = pixels[pixel * 4 + channel]!;
  }
  return { data, width, height };
}

function options(zoom: number): ResvgRenderOptions {
  return {
    font: {
      fontFiles: fontUrls().map((url) => fileURLToPath(url)),
      loadSystemFonts: false,
      defaultFontFamily: fontFamily,
    },
    fitTo: { mode: 'zoom', value: zoom },
  };
}
