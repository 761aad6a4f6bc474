import { curveStyle } from '../visualise/draw-panel.js';

/** Colours of the page by name, on light and on dark ground. */
const light = {
  page: '#f6f7f9',
  card: '#ffffff',
  ink: '#1c2330',
  muted: '#5b6473',
  line: '#dfe3ea',
  grid: '#e6e9ee',
  good: '#0b7a5c',
  unclear: '#8a6100',
  bad: '#b3261e',
  code: '#f0f2f6',
  trained: '#2456d6',
  untrained: '#7a8394',
  colourAndPosition: '#d4500c',
  'run-0': '#2456d6',
};
const dark: typeof light = {
  page: '#12151b',
  card: '#1a1e26',
  ink: '#e7eaf0',
  muted: '#9ca5b4',
  line: '#2e3542',
  grid: '#2a303b',
  good: '#45c79c',
  unclear: '#e0b04a',
  bad: '#f2867e',
  code: '#232934',
  trained: '#7da2ff',
  untrained: '#98a1b1',
  colourAndPosition: '#ff9a5c',
  'run-0': '#7da2ff',
};

const variables = (colours: typeof light) =>
  Object.entries(colours)
    .map(([name, value]) => `--${name}:${value}`)
    .join(';');

const layout = `
*{box-sizing:border-box}
html{background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-text-size-adjust:100%}
body{max-width:1080px;margin:0 auto;padding:32px 20px 48px}
h1{font-size:clamp(1.6rem,4vw,2.2rem);line-height:1.2;letter-spacing:-.015em;margin:.1em 0 .3em}
h2{font-size:1.15rem;line-height:1.3;margin:0 0 .8em}
p{margin:.4em 0}
small{display:block;font-weight:400;font-size:.8rem;color:var(--muted)}
h1,h2,p,li,dd,th,td,figcaption{overflow-wrap:anywhere}
.kicker{color:var(--muted);font-size:.85rem;margin:0}
.summary{font-size:1.1rem;color:var(--muted);margin:0 0 1.4em;max-width:44em}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:22px 24px;margin:0 0 18px}
.verdict{border-left:5px solid var(--tone)}
.verdict h2{font-size:1.4rem;color:var(--tone);margin-bottom:.5em}
.verdict.good{--tone:var(--good)}.verdict.unclear{--tone:var(--unclear)}.verdict.bad{--tone:var(--bad)}
.verdict ul{margin:0;padding-left:1.2em}
.health{border-top:1px solid var(--line);margin-top:1em;padding-top:.9em;font-size:.92rem;color:var(--muted)}
.health.good{--c:var(--good)}.health.warning{--c:var(--unclear)}.health.alarm{--c:var(--bad)}
h3{font-size:.95rem;margin:1.2em 0 .4em}h3 small{display:inline;margin-left:.6em}
.results td,.results th{padding:.25em .9em .25em 0;text-align:left;vertical-align:top;font-variant-numeric:tabular-nums}
.note{color:var(--muted);font-size:.85rem;margin-top:1em;max-width:60em}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:middle;padding:11px 12px 11px 0;border-bottom:1px solid var(--line)}
thead th{font-size:.82rem;font-weight:600;color:var(--muted);padding-top:0}
tbody th{font-weight:600}
.number{text-align:right;padding-left:14px;font-variant-numeric:tabular-nums;white-space:nowrap}
.evaluations th[scope=row]{width:32%}.plot{width:28%;min-width:150px}.plot svg{display:block;width:100%}
.absent{color:var(--muted);font-size:.85rem}
.mark{display:inline-block;width:9px;height:9px;border-radius:9px;margin-right:.45em;background:var(--c)}
.trained{--c:var(--trained)}.untrained{--c:var(--untrained)}.colourAndPosition{--c:var(--colourAndPosition)}
.evaluations .dot{fill:var(--c)}.whisker{stroke:var(--c);stroke-width:2.5;stroke-linecap:round;opacity:.55}
.chance{stroke:var(--muted);stroke-width:1;stroke-dasharray:2 3}
figure{margin:0}figcaption{color:var(--muted);font-size:.92rem;margin-top:.7em;max-width:60em}
.scroll{overflow-x:auto;border-radius:8px;background:#fff}
figure img{display:block;width:100%;height:auto}
.curves{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr));gap:10px 18px}
.curves svg{display:block;overflow:visible;width:100%;height:auto}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(140px,1fr));gap:12px 20px;margin:0}
dt{color:var(--muted);font-size:.82rem}dd{margin:0;font-variant-numeric:tabular-nums}
.next{margin:0;padding-left:1.3em}.next li{margin-bottom:.9em}
pre{background:var(--code);border-radius:8px;padding:10px 14px;margin:.4em 0 .9em;white-space:pre-wrap;overflow-wrap:anywhere;font:.88rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre code{font:inherit;user-select:all}
details{margin-top:1.2em}summary{cursor:pointer;color:var(--muted)}
.config{font-size:.85rem;margin-top:.8em}.config th,.config td{padding:4px 12px 4px 0;font-weight:400;vertical-align:top}
footer{color:var(--muted);font-size:.82rem;text-align:center;margin-top:2em}
@media (max-width:640px){
body{padding:20px 12px 32px}section{padding:18px 16px;border-radius:10px}
figure img{min-width:900px}
.evaluations thead{display:none}.evaluations tr{display:grid;grid-template-columns:repeat(3,1fr);border-bottom:1px solid var(--line);padding:12px 0}
.evaluations th,.evaluations td{border:0;padding:3px 0;text-align:left;white-space:normal}
.evaluations tbody th,.evaluations .plot{grid-column:1/-1;width:auto}
.evaluations td[data-title]::before{content:attr(data-title);display:block;font-size:.78rem;color:var(--c,var(--muted))}
}
@media print{
@page{margin:14mm}html{font-size:12px;background:#fff}body{max-width:none;padding:0}
section,figure,tr,.curves svg{break-inside:avoid}section{border-color:#ccc}details:not([open]){display:none}
.curves{grid-template-columns:repeat(3,1fr)}
}`;

/** The style sheet of a report: light and dark as the reader's system has it, light in print. */
export const reportStyle = [
  `:root{color-scheme:light dark;${variables(light)}}`,
  `@media screen and (prefers-color-scheme:dark){:root{${variables(dark)}}}`,
  layout,
  curveStyle((name) => `var(--${name})`),
].join('\n');
