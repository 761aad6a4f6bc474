import { escapeXml } from '../visualise/svg-text.js';

/** Markup that is safe to put into a page as it is. */
export class Html {
  constructor(readonly markup: string) {}

  toString(): string {
    return this.markup;
  }
}

/** What may stand in a template: texts and numbers are escaped, markup is not; nothing is left of `undefined`. */
export type Content = string | number | Html | undefined | readonly Content[];

/** Markup from a template: whatever is put in is escaped, unless it is `Html` itself. */
export function html(strings: TemplateStringsArray, ...contents: readonly Content[]): Html {
  return new Html(strings.reduce((text, part, index) => text + markupOf(contents[index - 1]) + part));
}

/** Markup made elsewhere by code of ours, such as an SVG. Never for what a user or a file gave. */
export function trusted(markup: string): Html {
  return new Html(markup);
}

function markupOf(content: Content): string {
  if (content === undefined) return '';
  if (content instanceof Html) return content.markup;
  if (typeof content === 'object') return content.map(markupOf).join('');
  return escapeXml(String(content));
}
