import { describe, expect, test } from '@jest/globals';
import { judgeCompliance, minutesText, type ComplianceInput } from '../../../src/drill/compliance.ts';

const NOW = new Date('2026-03-01T04:00:00Z');
const at = (text: string) => ({ label: text, at: new Date(text) });

function judge(changes: Partial<ComplianceInput> = {}) {
  return judgeCompliance({
    targets: { rpoMinutes: 60, rtoMinutes: 30 },
    now: NOW,
    drilled: at('2026-03-01T03:15:00Z'),
    restoreMinutes: 18,
    points: [at('2026-03-01T03:15:00Z')],
    periodStart: new Date('2026-02-01T04:00:00Z'),
    scheduleMinutes: 60,
    ...changes,
  });
}

describe('Compliance', () => {
  test('is kept by what is measured and within the targets, the target itself included', () => {
    expect(judge()).toMatchObject({ backupAgeMinutes: 45, rpoCompliant: true, rtoCompliant: true, hopeless: [], notes: [] });
    expect(judge({ drilled: at('2026-03-01T03:00:00Z'), restoreMinutes: 30 })).toMatchObject({
      rpoCompliant: true,
      rtoCompliant: true,
    });
    expect(judge({ drilled: at('2026-03-01T02:59:00Z'), restoreMinutes: 30.1 })).toMatchObject({
      backupAgeMinutes: 61,
      rpoCompliant: false,
      rtoCompliant: false,
    });
  });

  test('is never claimed of what was not measured', () => {
    const {
      drilled: _,
      restoreMinutes: __,
      ...rest
    } = {
      ...{ targets: { rpoMinutes: 60, rtoMinutes: 30 }, now: NOW, points: [], periodStart: NOW, scheduleMinutes: 60 },
      ...{ drilled: undefined, restoreMinutes: undefined },
    };
    const nothing = judgeCompliance(rest);
    expect(nothing).toMatchObject({ rpoCompliant: false, rtoCompliant: false });
    expect(nothing).not.toHaveProperty('backupAgeMinutes');
    expect(nothing).not.toHaveProperty('worstCase');
    expect(nothing.notes).toHaveLength(2);
  });

  test('takes no age from a clock that was set back', () => {
    const early = judge({ now: new Date('2026-03-01T03:14:00Z') });
    expect(early).toMatchObject({ rpoCompliant: false, notes: [expect.stringContaining("younger than this machine's clock")] });
    expect(early).not.toHaveProperty('backupAgeMinutes');
  });

  test('names the longest gap between good backups, though the newest is fresh', () => {
    const points = ['2026-02-10T02:00:00Z', '2026-02-11T02:00:00Z', '2026-02-13T02:30:00Z', '2026-03-01T03:15:00Z'].map(at);
    expect(judge({ points: points.slice(0, 3), now: new Date('2026-02-13T03:30:00Z') }).worstCase).toEqual({
      minutes: 2910,
      from: points[1],
      to: points[2],
    });
    // In any order, and each label once.
    const { worstCase } = judge({ points: [...points, ...points].reverse() });
    expect(worstCase).toMatchObject({ from: points[2], to: points[3] });
  });

  test('counts the time since the last backup, and whole what began before the period', () => {
    const last = at('2026-02-20T02:00:00Z');
    expect(judge({ points: [last] }).worstCase).toEqual({ minutes: 13_080, from: last });
    const before = at('2026-01-25T04:00:00Z');
    const first = at('2026-02-02T04:00:00Z');
    const fresh = at('2026-03-01T03:00:00Z');
    const long = judge({
      points: [before, first],
      now: new Date('2026-02-02T05:00:00Z'),
      periodStart: new Date('2026-02-01T00:00:00Z'),
    });
    expect(long.worstCase).toMatchObject({ minutes: 8 * 1440, from: before, to: first });
    // What ended before the period is no part of it.
    const old = [at('2025-01-01T00:00:00Z'), at('2025-06-01T00:00:00Z')];
    expect(judge({ points: [...old, at('2026-02-01T03:59:00Z'), fresh] }).worstCase?.from.label).toBe('2026-02-01T03:59:00Z');
  });

  test('names a target that no run of the schedule can keep, with the remedy', () => {
    expect(judge({ scheduleMinutes: 1440 }).hopeless).toMatchObject([
      { target: 'rpo', message: expect.stringContaining('every 24 hours'), remedy: expect.stringContaining('BACKUP_SCHEDULE') },
    ]);
    expect(judge({ restoreMinutes: 31 }).hopeless).toMatchObject([
      { target: 'rto', remedy: expect.stringContaining('DRILL_RTO_MINUTES') },
    ]);
  });

  test.each([
    [0.25, '0.3 minutes'],
    [1, '1 minute'],
    [60, '60 minutes'],
    [1440, '24 hours'],
    [10_080, '7 days'],
  ])('says %p minutes as %p', (minutes, text) => expect(minutesText(minutes)).toBe(text));
});
