import type { DrillPhase } from './drill-report.ts';
import { DRILL_STYLE } from './drill-style.ts';
import { html } from './html-text.ts';

type PhaseVerdict = DrillPhase['verdict'];

export const TONES = { passed: 'good', failed: 'bad', inconclusive: 'unsure', skipped: 'none' } as const satisfies Record<
  PhaseVerdict,
  string
>;
export const WORDS = {
  ...{ passed: 'passed', failed: 'FAILED', inconclusive: 'could not check', skipped: 'not reached' },
} as const satisfies Record<PhaseVerdict, string>;

/** A whole page around `body`. Nothing is fetched, nothing is run. `title` is text. */
export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${html(title)}</title>
<style>${DRILL_STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`;
}

export function card(title: string, value: string, good: boolean, below: string): string {
  return `<div class="card"><span class="soft">${html(title)}</span><b class="${good ? 'good' : 'bad'}">${html(value)}</b><span class="soft">${html(below)}</span></div>`;
}
