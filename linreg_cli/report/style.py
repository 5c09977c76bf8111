"""The style sheet of reports: narrow and wide screens, light and dark mode, A4.

In dark mode pictures are inverted and their hues turned back, so that blue stays blue. Rejected: a second set of
pictures, which would double the file, and a transparent ground, on which black text and grid lines would vanish.
"""

STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1b1e22; --faint: #59616a; --line: #cfd5db; --band: #f3f5f7;
  --link: #0b5cad; --good: #0b5cad; --bad: #a33c00; }
@media screen and (prefers-color-scheme: dark) {
  :root { --page: #16191d; --text: #e4e7ea; --faint: #a3abb4; --line: #3c434b; --band: #20252b; --link: #85bbf2;
    --good: #85bbf2; --bad: #ff9f66; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
main, footer { max-width: 72rem; margin: 0 auto; padding: 1rem 1.25rem; }
h1, h2, h3 { line-height: 1.2; overflow-wrap: anywhere; text-wrap: balance; }
h1 { font-size: 2rem; margin: 0.5rem 0; }
h2 { font-size: 1.4rem; margin: 2.5rem 0 0.75rem; padding-top: 0.75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.15rem; margin: 2rem 0 0.5rem; }
article > h2 { font-size: 1.7rem; margin-top: 4rem; border-top: 3px solid var(--text); }
p, ul, dl { margin: 0.5rem 0; max-width: 48rem; overflow-wrap: anywhere; }
a { color: var(--link); }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; padding: 0; margin: 1rem 0; list-style: none;
  max-width: none; }
.label, .note, figcaption, footer { color: var(--faint); }
.lead { font-size: 1.15rem; max-width: 46rem; }
.lead strong { font-weight: 600; }
.checks ul { padding: 0; list-style: none; }
.checks li { margin: 0.4rem 0; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.notice { border: 1px solid var(--bad); border-left-width: 0.4rem; border-radius: 0.25rem; padding: 0.25rem 1rem;
  margin: 1rem 0; background: var(--band); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 0.1rem 2rem;
  max-width: none; }
dl > div { display: grid; grid-template-columns: 9rem 1fr; gap: 0.75rem; padding: 0.2rem 0; }
dl > div.wide { grid-column: 1 / -1; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
.scroll { overflow-x: auto; margin: 0.75rem 0 1.25rem; }
table { border-collapse: separate; border-spacing: 0; font-size: 0.95rem; min-width: min(24rem, 100%); }
caption { text-align: left; font-weight: 600; padding: 0.25rem 0; overflow-wrap: anywhere;
  max-width: min(48rem, calc(100vw - 2.5rem)); }
th, td { padding: 0.3rem 0.75rem; border-bottom: 1px solid var(--line); vertical-align: top; text-align: left; }
thead th { border-bottom: 2px solid var(--faint); vertical-align: bottom; font-weight: 600; }
tbody th { font-weight: 400; }
th.w, td.w, tbody th { overflow-wrap: anywhere; min-width: 7rem; max-width: 28rem; }
tbody th.whole, td.whole { overflow-wrap: normal; min-width: 0; }
tr > :first-child { padding-left: 0; }
td .good, td .bad, .option { white-space: nowrap; }
th.n, td.n { text-align: right; }
thead th.n, thead th.w { overflow-wrap: break-word; max-width: 14rem; }
.estimate { display: block; }
td.n, .i span { white-space: nowrap; font-variant-numeric: tabular-nums; }
th button { all: inherit; display: inline; padding: 0; border: 0; cursor: pointer; }
th button::after { content: "\\2195"; color: var(--faint); font-weight: 400; padding-left: 0.15em; }
th[aria-sort="ascending"] button::after { content: "\\2191"; color: var(--text); }
th[aria-sort="descending"] button::after { content: "\\2193"; color: var(--text); }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
tbody tr { background: var(--page); }
tbody tr:nth-child(even) { background: var(--band); }
/* The first cell of a row stays visible while its numbers are scrolled. */
tbody th { position: sticky; left: 0; background: inherit; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); gap: 1.25rem; }
figure { margin: 0; }
img { display: block; width: 100%; max-width: 50rem; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: 0.25rem; }
@media screen and (prefers-color-scheme: dark) { img { filter: invert(0.9) hue-rotate(180deg); border: 0; } }
figcaption { font-size: 0.9rem; padding-top: 0.25rem; overflow-wrap: anywhere; }
details { margin: 0.5rem 0; }
summary { cursor: pointer; color: var(--link); padding: 0.25rem 0; }
pre { overflow-x: auto; background: var(--band); padding: 0.75rem; border-radius: 0.25rem; font-size: 0.85rem;
  unicode-bidi: plaintext; }
code { font-family: ui-monospace, monospace; font-size: 0.9em; overflow-wrap: anywhere; }
.key { overflow-wrap: break-word; }
footer { font-size: 0.9rem; border-top: 1px solid var(--line); margin-top: 3rem; }
@media (max-width: 40rem) {
  main, footer { padding: 0.5rem 0.9rem; }
  h1 { font-size: 1.6rem; }
  dl > div { grid-template-columns: 7rem 1fr; }
  th, td { padding: 0.3rem 0.3rem; }
  table { font-size: 0.8rem; }
  th.w, td.w, tbody th { min-width: 5rem; max-width: 9rem; }
  /* The interval is what must be seen whole: it takes two lines rather than be scrolled to. */
  td.i { white-space: normal; }
  figure img { width: calc(100% + 1.8rem); max-width: none; margin: 0 -0.9rem; border-radius: 0; border-width: 1px 0; }
}
@page { size: A4; margin: 14mm; }
@media print {
  :root { font-size: 9.5pt; }
  main, footer { max-width: none; padding: 0; }
  nav { display: none; }
  h2, h3, caption, summary { break-after: avoid; }
  tr, figure, .notice { break-inside: avoid; }
  article { break-before: page; }
  .scroll, pre { overflow: visible; }
  table { font-size: 8pt; }
  th, td { padding: 0.15rem 0.35rem; }
  th.w, td.w, tbody th { min-width: 4rem; }
  tbody th { position: static; }
  thead { break-after: avoid; }
  th button::after { content: none; }
  dl { grid-template-columns: 1fr 1fr; }
  dl > div { grid-template-columns: 7rem 1fr; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 7.5pt; columns: 2; }
  .pictures { grid-template-columns: 1fr 1fr; }
  details > summary { list-style: none; color: inherit; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""
