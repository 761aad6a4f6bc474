/** What every value of every channel becomes, channel after channel: 3 x 256. */
type Tables = Uint8Array;

/** Stretches every channel of an RGB picture to all values. Source: Pillow ImageOps.py `autocontrast`. */
export function autocontrastTables(pixels: Uint8Array): Tables {
  return tablesOf(pixels, (counts) => {
    const low = counts.findIndex((count) => count > 0);
    const high = counts.findLastIndex((count) => count > 0);
    if (high <= low) return undefined;
    const scale = 255 / (high - low);
    const offset = -low * scale;
    return (value) => Math.min(255, Math.max(0, Math.trunc(value * scale + offset)));
  });
}

/** Gives every channel of an RGB picture a flat histogram. Source: Pillow ImageOps.py `equalize`. */
export function equalizeTables(pixels: Uint8Array): Tables {
  return tablesOf(pixels, (counts) => {
    const present = counts.filter((count) => count > 0);
    const step = Math.floor((pixels.length / 3 - present.at(-1)!) / 255);
    if (present.length <= 1 || step === 0) return undefined;
    let below = Math.floor(step / 2);
    return (value) => {
      const result = Math.min(255, Math.floor(below / step));
      below += counts[value]!;
      return result;
    };
  });
}

/** @param tableOf gives a function that is called with 0 to 255 in turn; without one, values stay */
function tablesOf(
  pixels: Uint8Array,
  tableOf: (counts: readonly number[]) => ((value: number) => number) | undefined,
): Tables {
  const tables = new Uint8Array(3 * 256);
  for (let channel = 0; channel < 3; channel++) {
    const counts = new Array<number>(256).fill(0);
    for (let i = channel; i < pixels.length; i += 3) counts[pixels[i]!]!++;
    const become = tableOf(counts) ?? ((value) => value);
    for (let value = 0; value < 256; value++) tables[channel * 256 + value] = become(value);
  }
  return tables;
}
