import { describe, expect, test } from '@jest/globals';
import { lineChart } from '../../../src/report/drill-chart.ts';
import { drillPage } from '../../../src/report/drill-page.ts';
import type { DrillReport } from '../../../src/report/drill-report.ts';
import { html } from '../../../src/report/html-text.ts';

const HOSTILE = `</title></style><script>alert(1)</script><img src=x onerror="x">'"&\u202egnp.exe\u0000`;

/** A report in which every text that somebody else chooses is hostile. */
function hostileReport(): DrillReport {
  const digest = 'f'.repeat(32);
  return {
    drill_timestamp: '2026-03-01T04:00:00.000Z',
    ...{ backup_age_minutes: 121, restore_duration_minutes: null, rpo_compliant: false, rto_compliant: false, status: 'failure' },
    worst_case: { minutes: 2881, from: { label: HOSTILE, time: '2026-02-01T02:00:00.000Z' } },
    ...{ reportVersion: 1, job: 'restore-drill', exitStatus: 1, source: HOSTILE },
    ...{ finishedAt: '2026-03-01T04:01:00.000Z', durationSeconds: 60 },
    backup: {
      ...{ label: HOSTILE, database: HOSTILE, target: HOSTILE, targetReason: HOSTILE, location: HOSTILE, serverVersion: HOSTILE },
      ...{ snapshot: { time: HOSTILE, lsn: HOSTILE }, bytes: 1, rawBytes: 2, codec: 'gzip', sha256: HOSTILE },
    },
    phases: [
      { name: 'equality', verdict: 'failed', seconds: 1, findings: [{ object: HOSTILE, message: HOSTILE, hint: HOSTILE }] },
    ],
    restores: [{ way: 'plain', seconds: 1, phases: [], command: HOSTILE }],
    tables: [
      { schema: 'public', name: 'good', expected: { rows: 1, digest }, found: { rows: 1, digest }, equal: true },
      { schema: HOSTILE, name: HOSTILE, expected: { rows: 1, digest }, equal: false },
    ],
    assertions: [{ name: HOSTILE, verdict: 'failed', message: HOSTILE }],
    compliance: {
      ...{ rpoTargetMinutes: 60, rtoTargetMinutes: 30, periodStart: HOSTILE, worstCaseCompliant: false },
      hopeless: [{ target: 'rpo', message: HOSTILE, remedy: HOSTILE }],
      ...{ notes: [HOSTILE], forecast: { says: HOSTILE, drills: 0 } },
    },
    trend: [{ drill_timestamp: HOSTILE, status: 'failure', backup_age_minutes: 121, restore_duration_minutes: null }],
    ...{ warnings: [HOSTILE], swept: [HOSTILE], error: { code: 'INTERNAL', message: HOSTILE } },
    versions: { dbBackup: HOSTILE, node: HOSTILE, server: HOSTILE },
  };
}

describe("A drill's page", () => {
  test('shows every text as it is, whatever it is, and neither runs nor fetches anything', () => {
    const page = drillPage(hostileReport(), 'monthly_drill_20260301_040000.json');
    expect(page).not.toMatch(/<script|<img|<link|<iframe|\son\w+=["']?x|https?:|url\(|@import/i);
    expect(page.match(/<\/style>/g)).toHaveLength(1);
    expect(page.match(/<\/title>/g)!.length).toBe(page.match(/<title>/g)!.length);
    expect(page).not.toMatch(/[\u202e\u0000]/);
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page).toContain('\\u202egnp.exe\\u0000');
    expect(page).toContain(`default-src 'none'`);
  });

  test('says first what is wrong', () => {
    const page = drillPage(hostileReport(), 'x.json');
    expect(page).toContain('did not pass');
    expect(page.indexOf('NOT EQUAL')).toBeLessThan(page.indexOf('>good<'));
    expect(page).toContain('1 of 2');
    expect(page).toContain('not known');
  });

  test('closes what it opens', () => {
    const page = drillPage(hostileReport(), 'x.json');
    for (const name of ['div', 'table', 'tbody', 'tr', 'td', 'section', 'svg', 'figure', 'bdi', 'p', 'span', 'code']) {
      const count = (pattern: RegExp) => page.match(pattern)?.length ?? 0;
      expect({ name, open: count(new RegExp(`<${name}[ >]`, 'g')) }).toEqual({
        name,
        open: count(new RegExp(`</${name}>`, 'g')),
      });
    }
  });
});

describe('A chart', () => {
  test('leaves a gap where nothing was measured and marks what is above the limit', () => {
    const points = [5, 6, null, 40, 41].map((value, at) => ({ label: `day ${at}`, value }));
    const svg = lineChart({ title: 'minutes', points, limit: 30, unit: 'minutes' });
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg.match(/class="over"/g)).toHaveLength(2);
    expect(svg).not.toContain('NaN');
  });

  test.each([[[]], [[null]], [[0]], [[0, 0]], [[1e9]]])('can be drawn of %j', (values) => {
    const svg = lineChart({ title: 'x', points: values.map((value) => ({ label: 'p', value })), limit: 0, unit: 'm' });
    expect(svg).not.toMatch(/NaN|Infinity/);
  });
});

test('Text in HTML keeps what can be seen, in any script', () => {
  expect(html('Bestellungen für 北京 😀')).toBe('Bestellungen für 北京 😀');
  expect(html('a<b>&"\'')).toBe('a&lt;b&gt;&amp;&quot;&#39;');
  expect(html('\ud800x')).toBe('\\ud800x');
});
