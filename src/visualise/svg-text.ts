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
