"""How the HTML page looks: light and dark, narrow and wide, on screen and on paper."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --dim: #646b73; --paper: #fff; --soft: #f4f5f7;
  --line: #d9dce1; --user: #1f5fbf; --user-soft: #eef4fd; --warn: #8a4b00; --warn-soft: #fff5e5;
  --bad: #a8201a; --bad-soft: #fdeeed }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e3e6ea; --dim: #9aa2ac; --paper: #16181c; --soft: #1f2227; --line: #363b43;
    --user: #8ab6f9; --user-soft: #1b2636; --warn: #f0b866; --warn-soft: #2d2415; --bad: #ff9a94;
    --bad-soft: #331b1a }
}
* { box-sizing: border-box }
html { scroll-padding-top: 3.5rem }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif }
pre, code { font: .875em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono",
  monospace }
a { color: var(--user); text-decoration: none }
a:hover, a:focus-visible { text-decoration: underline }
summary { cursor: pointer }
h1, h2, h3, h4 { line-height: 1.3; margin: 0 }
h1 { font-size: 1.6rem } h2 { font-size: 1.25rem } h3 { font-size: 1rem }
h4 { font-size: .8rem; font-weight: 600; color: var(--dim); margin: .6rem 0 .2rem }
section > details > summary > h1, section > details > summary > h2 { display: inline }

nav { position: sticky; top: 0; z-index: 1; background: var(--soft); padding: .5rem 1rem;
  border-bottom: 1px solid var(--line); font-size: .85rem; max-height: 50vh; overflow: auto }
nav summary { font-weight: 600 }
nav ol { list-style: none; margin: .4rem 0; padding: 0 }
nav li { margin: .15rem 0; font-weight: 600 }
nav .said { font-weight: 400; padding-inline-start: .8rem }
nav .in1 { margin-inline-start: .8rem } nav .in2 { margin-inline-start: 1.6rem }
nav .in3 { margin-inline-start: 2.4rem } nav .in4 { margin-inline-start: 3.2rem }
main { padding: 1rem; min-width: 0 }
section, article { max-width: 56rem }
section > details { min-width: 0 }
@media (max-width: 67.99rem) {
  nav { max-height: 8.5rem }
  main { margin: 0 auto; max-width: 58rem }
}
@media (min-width: 68rem) {
  body { display: grid; grid-template-columns: 17rem minmax(0, 1fr) }
  html { scroll-padding-top: 1rem }
  nav { height: 100vh; max-height: none; border-bottom: 0; border-inline-end: 1px solid
    var(--line); padding: 1rem }
  main { padding: 1.5rem 2.5rem }
}

.facts { border-collapse: collapse; margin: .8rem 0 1.2rem; font-size: .875rem }
.facts th { text-align: start; font-weight: 500; color: var(--dim); padding: .1rem 1rem .1rem 0;
  vertical-align: top; white-space: nowrap; overflow-wrap: normal }
.facts td { padding: .1rem 0 }
.subagent { margin: 2rem 0 0; padding-inline-start: 1rem; border-inline-start: 3px solid
  var(--line) }
.session > details > .subagent { margin-block-start: 3rem }
article { margin: 1.4rem 0; padding-block-start: .7rem; border-block-start: 1px solid var(--line) }
article.user { background: var(--user-soft); border: 0; border-inline-start: 3px solid var(--user);
  padding: .7rem 1rem; border-radius: 3px }
header { margin: 0 0 .5rem }
h3 { display: inline } h3 bdi { text-transform: capitalize }
h3 a { color: var(--dim); font-weight: 400 }
.user h3 bdi { color: var(--user) }
.said-of, .note { color: var(--dim); font-size: .8125rem }
.text { white-space: pre-wrap; unicode-bidi: plaintext; text-align: start; tab-size: 4;
  margin: .3rem 0 }
.text code { background: var(--soft); border-radius: 3px }
.user .text code { background: var(--paper) }
pre { margin: .2rem 0 .5rem; padding: .6rem .8rem; background: var(--soft); border: 1px solid
  var(--line); border-radius: 4px; overflow: auto; max-height: 36rem; tab-size: 4;
  overflow-wrap: normal; unicode-bidi: plaintext; text-align: start }
.mark { font-size: .75rem; color: var(--warn); background: var(--warn-soft); border: 1px solid;
  border-radius: 3px; padding: 0 .35rem; white-space: nowrap }
.synthetic, .reasoning, .notice { color: var(--dim); font-size: .9375rem; margin: .4rem 0 }
.synthetic > .text, .reasoning > .text, .synthetic > pre { border-inline-start: 2px dotted
  var(--line); padding-inline-start: .8rem }
.tool, .delegated, .attachment { margin: .4rem 0; font-size: .9375rem }
.tool, .delegated { border: 1px solid var(--line); border-radius: 4px; padding: .3rem .7rem }
.brief { color: var(--dim); margin-inline: .3rem }
.bad { border-color: var(--bad); background: var(--bad-soft) }
.failed { color: var(--bad); margin: .4rem 0 }
.compaction { margin: 1.2rem 0; padding: .4rem .7rem; border-block: 2px dashed var(--warn);
  color: var(--warn) }
figure { margin: .5rem 0 } figcaption { font-size: .8125rem; color: var(--dim) }
img { max-width: 100%; max-height: 30rem; background: #fff; border: 1px solid var(--line) }
@media print {
  :root { --ink: #000; --dim: #444; --paper: #fff; --soft: #fff; --line: #bbb; --user: #000;
    --user-soft: #fff; --warn: #000; --warn-soft: #fff; --bad: #000; --bad-soft: #fff;
    color-scheme: light }
  body { display: block; font-size: 10.5pt } nav { display: none } main { padding: 0 }
  section, article { max-width: none }
  pre { max-height: none; overflow: visible; white-space: pre-wrap; overflow-wrap: anywhere }
  /* On paper nothing can be unfolded. */
  details::details-content { display: block; content-visibility: visible; block-size: auto }
  summary, header { break-after: avoid } img { break-inside: avoid }
}
"""
