/** A measured number for people, `digits` significant digits, exponents only where they help: `3.71`, `0.0012`, `4.1e-7`. */
export function numberText(value: number, digits = 4): string {
  if (!Number.isFinite(value)) return String(value);
  if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e9)) {
    return String(Number(value.toPrecision(digits)).toExponential());
  }
  if (Math.abs(value) >= 10 ** digits) return String(Math.round(value));
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(digits)));
}
