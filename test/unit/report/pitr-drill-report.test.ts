import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { pitrDrillPage } from '../../../src/report/pitr-drill-page.ts';
import { pitrDrillReportSchema, type PitrDrillReport } from '../../../src/report/pitr-drill-report.ts';

const HOSTILE = '"><script>alert(1)</script>';

const report: PitrDrillReport = {
  ...{ drill_timestamp: '2026-03-01T06:00:00.000Z', status: 'failure', achieved_rpo_seconds: 4, recovery_duration_minutes: 1.5 },
  ...{ rpo_compliant: true, rto_compliant: true, reportVersion: 1, job: 'pitr-drill', exitStatus: 1, source: HOSTILE },
  ...{ finishedAt: '2026-03-01T06:03:00.000Z', durationSeconds: 180, seed: HOSTILE, target: 's3', assertions: [] },
  instant: {
    ...{ asked: '2026-02-27T10:00:00.000Z', base: HOSTILE, reached: { lsn: '0/5000100' } },
    ...{ seconds: { fetch: 10, replay: 20 }, bytes: { base: 1, wal: 1 } },
    commits: { present: 1234, rolledBack: 0, absent: 7, forgotten: 0, missing: ['transaction 740'], extra: [] },
  },
  phases: [{ name: 'commits', verdict: 'failed', seconds: 1, findings: [{ object: HOSTILE, message: HOSTILE }] }],
  objectives: { rpoTargetMinutes: 60, rtoTargetMinutes: 30 },
  versions: { dbBackup: '0.1.0', node: '24' },
};

describe('the report of a drill of point-in-time recovery', () => {
  test('its published schema is the one in the source (npm run docs:schemas)', async () => {
    const published = await readFile(new URL('../../../docs/schemas/pitr-drill-report.schema.json', import.meta.url), 'utf8');
    expect(published).toBe(`${JSON.stringify(pitrDrillReportSchema, null, 2)}\n`);
  });

  test('its page says what failed, and shows any text as text', () => {
    const page = pitrDrillPage(report, 'pitr_drill_20260301_060000.json');
    expect(page).not.toContain('<script');
    expect(page).toContain('did not pass the drill');
    expect(page).toContain('transaction 740');
    expect(page).toContain('1,234');
  });
});
