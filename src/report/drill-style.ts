/** Style of a drill's page: readable on paper, on a small screen and in the dark, with nothing fetched from anywhere. */
export const DRILL_STYLE = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #dce1e8; --paper: #fff; --card: #f6f8fa;
  --good: #1a7f4b; --bad: #c0282d; --unsure: #9a6700; --none: #8b95a3; --mark: #2f6fb3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9f0; --soft: #9aa5b4; --line: #323b48; --paper: #141920; --card: #1c232c;
  --good: #46b97c; --bad: #f0696b; --unsure: #d9a63a; --none: #6d7886; --mark: #6aa9ea; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 66rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.1rem; }
p { margin: .4rem 0; max-width: 50rem; }
.soft, .hint { color: var(--soft); }
.banner { border-left: .5rem solid var(--none); padding: .9rem 1.2rem; background: var(--card); border-radius: 4px; }
.banner.success { border-color: var(--good); } .banner.failure { border-color: var(--bad); } .banner.inconclusive { border-color: var(--unsure); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .75rem; margin-top: 1rem; }
.card { border: 1px solid var(--line); border-radius: 4px; padding: .7rem .9rem; }
.card b { display: block; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.good { color: var(--good); } .bad { color: var(--bad); } .unsure { color: var(--unsure); } .none { color: var(--none); }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 500; }
td.number, th.number { padding-right: 1.2rem; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.word { white-space: nowrap; }
code, .digest { font: .85em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
tr.bad td { background: color-mix(in srgb, var(--bad) 12%, transparent); }
.wide { overflow-x: auto; }
.bar { position: relative; height: 1.1rem; min-width: 10rem; }
.bar i { position: absolute; top: .2rem; height: .75rem; min-width: 3px; border-radius: 2px; background: currentColor; }
.finding { border-left: 3px solid var(--line); padding-left: .8rem; margin: .6rem 0; max-width: 56rem; }
.finding.failed { border-color: var(--bad); } .finding.inconclusive { border-color: var(--unsure); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { color: var(--soft); font-size: .9rem; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font-size: 11px; }
svg .grid { stroke: var(--line); } svg .limit { stroke: var(--bad); stroke-dasharray: 5 4; }
svg polyline { fill: none; stroke: var(--mark); stroke-width: 2; } svg .under { fill: var(--mark); } svg .over { fill: var(--bad); }
@media print { body { max-width: none; padding: 0; } h2 { break-after: avoid; } tr, .card, .finding { break-inside: avoid; } }
`;
