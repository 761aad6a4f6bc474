/** A text with the characters that XML and HTML give a meaning replaced, fit for content and for quoted attributes. */
export function escapeXml(text: string): string {
  return text.replaceAll(/[&<>"'\p{Cc}]/gu, (letter) => {
    const name = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": '#39' }[letter];
    if (name !== undefined) return `&${name};`;
    // XML has no escape for control characters; a line end means nothing more than a space here.
    return /\s/.test(letter) ? ' ' : '\uFFFD';
  });
}

/** Coordinates with at most two decimals: enough for any screen, and short. */
export function coordinate(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** Width of a text in a size, generous: letters of the font are about half as wide as it is high, capitals wider. */
export function textWidth(text: string, size: number): number {
  let units = 0;
  for (const letter of text)
    units += /[A-ZMWmw%@\u0250-\uffff]/.test(letter) ? 0.8 : /[ijl.,:;|'!()[\]]/.test(letter) ? 0.34 : 0.55;
  return units * size;
}

/** A text cut so that it fits, with dots where something is missing. */
export function fitted(text: string, size: number, width: number): string {
  if (textWidth(text, size) <= width) return text;
  const letters = [...text];
  while (letters.length > 1 && textWidth(`${letters.join('')}…`, size) > width) letters.pop();
  return `${letters.join('').trimEnd()}…`;
}

/** A text in lines that fit, broken at spaces. */
export function wrapped(text: string, size: number, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = lines.length > 0 ? `${lines.at(-1)} ${word}` : word;
    if (lines.length > 0 && textWidth(longer, size) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
