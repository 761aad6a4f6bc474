const units = ['B', 'kB', 'MB', 'GB', 'TB'];

/** A size for people in decimal units, three significant digits: `512 B`, `1.5 kB`, `3.24 GB`. */
export function byteText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : Number(value.toPrecision(3))} ${units[unit]}`;
}
