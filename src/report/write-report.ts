import { liveEvents, readEvents } from '../runs/event-log.js';
import type { RunEvent } from '../runs/run-events.js';
import type { RunFolder } from '../runs/run-folder.js';
import { writeFileAtomic } from '../support/atomic-file.js';
import { curveFigures } from '../visualise/curve-sheet.js';
import { evaluationTable } from './evaluation-table.js';
import { type Html, html, trusted } from './html.js';
import type { NextCommand, ReportParts } from './report-parts.js';
import { reportStyle } from './report-style.js';
import { resultTables } from './result-table.js';
import { type Fact, type RunFacts, readRunFacts } from './run-facts.js';
import { type RunPicture, readRunPictures } from './run-pictures.js';

/**
 * Writes the report of a run, and keeps `parts` in its folder for the next time.
 *
 * @returns as {@link writePage} @throws DataError where the event log is damaged; TesseraError `STORAGE`
 */
export function writeReport(run: RunFolder, parts: ReportParts): string {
  const path = writePage(run, parts, liveEvents(readEvents(run.events)));
  writeFileAtomic(run.reportParts, `${JSON.stringify(parts, undefined, 2)}\n`);
  return path;
}

/**
 * Writes one HTML file that needs nothing else, no network and no scripts. Configuration, curves, health, results, machine
 * and pictures come from the run folder.
 *
 * @param events of the run, those that count, see `liveEvents`
 * @returns the path of the file, `report.html` in the run folder @throws TesseraError `STORAGE`
 */
export function writePage(run: RunFolder, parts: ReportParts, events: readonly RunEvent[]): string {
  writeFileAtomic(run.report, reportPage(readRunFacts(run, events), run.name, parts, readRunPictures(run)));
  return run.report;
}

function reportPage(facts: RunFacts, name: string, parts: ReportParts, pictures: readonly RunPicture[]): string {
  const { markup } = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${parts.title}</title>
<style>${trusted(reportStyle)}</style>
</head>
<body>
<header><p class="kicker">Tessera report · ${name}${facts.begun && html` · <time datetime="${facts.begun}">${facts.begun.slice(0, 10)}</time>`}</p>
<h1>${parts.title}</h1><p class="summary">${parts.summary}</p></header>
<main>
${verdictSection(facts, parts)}
${parts.evaluations.length > 0 ? section('Evaluations', evaluationTable(parts.evaluations)) : undefined}
${facts.results.length > 0 ? section('All results', resultTables(facts.results)) : undefined}
${pictures.map(pictureSection)}
${curvesSection(facts)}
${section('What was trained', factList(facts.training))}
${parts.nextCommands.length > 0 ? section('What to do next', html`<ol class="next">${parts.nextCommands.map(nextItem)}</ol>`) : undefined}
${section('To repeat it', reproduction(facts, parts))}
</main>
<footer><p>This file is complete in itself: it loads nothing and runs no scripts.</p></footer>
</body>
</html>
`;
  return markup;
}

function section(title: string, content: Html): Html {
  return html`<section><h2>${title}</h2>${content}</section>`;
}

function verdictSection({ health }: RunFacts, { verdict }: ReportParts): Html {
  const healthLine = health.map(
    ({ level, step, message }) =>
      html`<p class="health ${level}"><span class="mark"></span>Health at step ${step}: ${message}</p>`,
  );
  return html`<section class="verdict ${verdict.tone}"><h2>${verdict.headline}</h2>
${verdict.sentences.length > 0 ? html`<ul>${verdict.sentences.map((sentence) => html`<li>${sentence}</li>`)}</ul>` : undefined}${healthLine}</section>`;
}

function pictureSection({ title, caption, png }: RunPicture): Html {
  const data = `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
  const { width, height } = pngSize(png);
  return section(
    title,
    html`<figure><div class="scroll" tabindex="0"><img src="${data}" width="${width}" height="${height}" alt="${caption}"></div>
<figcaption>${caption}</figcaption></figure>`,
  );
}

/** Width and height of a PNG file, which its first chunk holds. */
function pngSize(png: Uint8Array): { width: number; height: number } {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

function curvesSection({ metrics }: RunFacts): Html {
  const figures = curveFigures([{ name: '', metrics }]).map(trusted);
  if (figures.length === 0) return section('Training', html`<p>No metrics were logged.</p>`);
  return section('Training', html`<div class="curves">${figures}</div>`);
}

function factList(facts: readonly Fact[]): Html {
  return html`<dl>${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function nextItem({ command, purpose }: NextCommand): Html {
  return html`<li>${purpose}<pre><code>${command}</code></pre></li>`;
}

function reproduction(facts: RunFacts, parts: ReportParts): Html {
  const rows = facts.leaves.map(
    ({ key, value, origin }) =>
      html`<tr><th scope="row">${key}</th><td>${JSON.stringify(value)}</td><td>${origin}</td></tr>`,
  );
  return html`<pre><code>${parts.command}</code></pre>
${factList([...(parts.facts ?? []), ...facts.origins])}
<details><summary>The whole configuration</summary>
<table class="config"><thead><tr><th scope="col">Key</th><th scope="col">Value</th><th scope="col">From</th></tr></thead>
<tbody>${rows}</tbody></table></details>`;
}
