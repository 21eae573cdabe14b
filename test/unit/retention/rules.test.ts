import { describe, expect, test } from '@jest/globals';
import type { Backup, CopyState } from '../../../src/catalog/backup.ts';
import { BackupError } from '../../../src/errors.ts';
import { bucketOf } from '../../../src/retention/calendar.ts';
import { planRetention } from '../../../src/retention/plan.ts';
import { readListing, refusePartialListing } from '../../../src/retention/read-listing.ts';
import { newestReportFirst, parseReportName, reportStem } from '../../../src/catalog/report-names.ts';
import { planReports } from '../../../src/retention/reports.ts';
import type { HeldState, RetentionRules, StoredBackup } from '../../../src/retention/stored-backup.ts';
import { sampleManifest } from '../../support/sample-manifest.ts';

const DAY = 86_400_000;
const at = (text: string) => Date.parse(text);

describe('calendar periods', () => {
  test('are those of UTC: weeks begin on Monday, also across years', () => {
    const week = (text: string) => bucketOf.weekly(at(text));
    expect(week('2026-01-04T23:59:59Z')).toBe(week('2025-12-29T00:00:00Z'));
    expect(week('2026-01-05T00:00:00Z')).toBe(week('2026-01-04T23:59:59Z') + 1);
    expect(bucketOf.monthly(at('2026-01-01T00:00:00Z'))).toBe(bucketOf.monthly(at('2025-12-31T23:59:59Z')) + 1);
    expect(bucketOf.yearly(at('2025-12-31T23:59:59Z'))).toBe(2025);
    expect(bucketOf.daily(at('2026-03-29T23:30:00Z'))).toBe(bucketOf.daily(at('2026-03-29T00:30:00Z')));
  });
});

describe('a history of nights', () => {
  const now = at('2026-03-31T03:00:00Z');
  const nights = Array.from({ length: 400 }, (_, night): StoredBackup => {
    const time = at('2026-03-31T02:00:00Z') - night * DAY;
    const day = new Date(time).toISOString().slice(0, 10);
    return {
      key: `full/${day}`,
      label: day,
      source: 'shop',
      time,
      named: time,
      proven: false,
      held: new Map([['local', 'sound']]),
    };
  });
  const kept = (rules: Partial<RetentionRules>, backups = nights) =>
    planRetention({
      backups,
      targets: ['local'],
      sources: [
        {
          name: 'shop',
          freshnessLimitMs: 26 * 3_600_000,
          rules: new Map([['local', { days: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0, minimum: 1, ...rules }]]),
        },
      ],
      now,
    })
      .decisions.filter(({ action }) => action === 'keep')
      .map(({ label }) => label);

  test('is cut to its days', () => {
    expect(kept({ days: 7 })).toHaveLength(7);
    expect(kept({ days: 7 }).at(-1)).toBe('2026-03-25');
  });

  test('keeps the newest of each day, week, month and year', () => {
    expect(kept({ daily: 3 })).toEqual(['2026-03-31', '2026-03-30', '2026-03-29']);
    expect(kept({ weekly: 3 })).toEqual(['2026-03-31', '2026-03-29', '2026-03-22']);
    expect(kept({ monthly: 3 })).toEqual(['2026-03-31', '2026-02-28', '2026-01-31']);
    expect(kept({ yearly: 3 })).toEqual(['2026-03-31', '2025-12-31']);
    expect(kept({ minimum: 2 })).toEqual(['2026-03-31', '2026-03-30']);
  });

  test('keeps the same every week: what stands for a month is still there when the month is over', () => {
    let backups = [...nights].reverse().slice(0, 1);
    for (const night of [...nights].reverse().slice(1)) {
      backups.push(night);
      if (new Date(night.time!).getUTCDay() !== 0) continue;
      const stays = new Set(
        planRetention({
          backups,
          targets: ['local'],
          sources: [
            {
              name: 'shop',
              freshnessLimitMs: 26 * 3_600_000,
              rules: new Map([['local', { days: 7, daily: 0, weekly: 4, monthly: 12, yearly: 2, minimum: 3 }]]),
            },
          ],
          now: night.time! + 3_600_000,
        })
          .decisions.filter(({ action }) => action === 'keep')
          .map(({ key }) => key),
      );
      backups = backups.filter(({ key }) => stays.has(key));
    }
    const labels = backups.map(({ label }) => label);
    for (const month of ['2025-05-31', '2025-10-31', '2025-12-31', '2026-02-28']) expect(labels).toContain(month);
    expect(labels.length).toBeLessThan(25);
  });

  test('says all reasons for what stays, and the age of what goes', () => {
    const { decisions } = planRetention({
      backups: [{ ...nights[0]!, pin: 'before the migration' }, nights[40]!],
      targets: ['local'],
      sources: [
        {
          name: 'shop',
          freshnessLimitMs: 26 * 3_600_000,
          rules: new Map([['local', { days: 7, daily: 0, weekly: 1, monthly: 0, yearly: 0, minimum: 1 }]]),
        },
      ],
      now,
    });
    expect(decisions[0]!.reasons.map(({ rule }) => rule)).toEqual(['pinned', 'newest-good', 'minimum', 'days', 'weekly']);
    expect(decisions[0]!.reasons[0]!.says).toBe('it is pinned: before the migration');
    expect(decisions[1]).toMatchObject({
      action: 'remove',
      reasons: [{ rule: 'no-rule-keeps-it', says: 'it is 40 days old, and no rule keeps it' }],
    });
  });
});

describe('a listing', () => {
  const manifest = sampleManifest({
    copies: [
      { target: 's3', location: 's3://b/x', sha256: 'ab'.repeat(32), storedAt: '2026-01-02T03:04:05Z', checkedBy: 'none' },
    ],
  });
  const backup = (local: CopyState, s3: CopyState, changes: Partial<Backup> = {}): Backup => ({
    label: manifest.label,
    key: `full/${manifest.label}.sql.gz`,
    source: 'shop',
    started: new Date('2026-01-02T03:04:05Z'),
    codec: 'gzip',
    state: 'complete',
    manifest,
    copies: [
      { target: 'local', location: '', state: local },
      { target: 's3', location: '', state: s3 },
    ],
    ...changes,
  });
  const read = (each: Backup, damaged = false) =>
    readListing(
      { backups: [each], unreachable: [] },
      { proven: new Set([manifest.label]), pins: new Map(), isDamaged: (target) => damaged && target === 'local' },
    )[0]!;
  const without = (each: Backup): Backup => {
    const { manifest: _, ...rest } = each;
    return rest;
  };

  test.each<[string, Backup, boolean, [string, HeldState][]]>([
    [
      'whole, and half there',
      backup('whole', 'side-file-missing'),
      false,
      [
        ['local', 'sound'],
        ['s3', 'usable'],
      ],
    ],
    [
      'known to be damaged',
      backup('whole', 'manifest-missing'),
      true,
      [
        ['local', 'unusable'],
        ['s3', 'unindexed'],
      ],
    ],
    ['on its way out', backup('expired', 'missing'), false, [['local', 'expired']]],
    [
      'cut off',
      backup('size-differs', 'whole', { manifest: { ...manifest, outcome: 'incomplete' } }),
      false,
      [
        ['local', 'unusable'],
        ['s3', 'usable'],
      ],
    ],
    [
      'a manifest alone',
      backup('missing', 'missing', { state: 'damaged' }),
      false,
      [
        ['local', 'unusable'],
        ['s3', 'unusable'],
      ],
    ],
    [
      'without a manifest',
      without(backup('manifest-missing', 'missing', { state: 'unindexed' })),
      false,
      [['local', 'unusable']],
    ],
  ])('gives each copy its state: %s', (_name, each, damaged, expected) => {
    expect([...read(each, damaged).held]).toEqual(expected);
  });

  test('says what is pinned and why, and what a drill has proven', () => {
    const pinned = backup('whole', 'whole', { pinned: true });
    const listed = (reason: string | undefined, proven: string[]) =>
      readListing(
        { backups: [pinned], unreachable: [] },
        {
          ...{ proven: new Set(proven), isDamaged: () => false },
          pins: new Map(reason === undefined ? [] : [[pinned.key, reason]]),
        },
      )[0]!;
    expect(listed('before the migration', [])).toMatchObject({ pin: 'before the migration', proven: false });
    expect(listed(undefined, [manifest.label])).toMatchObject({ pin: '', proven: true });
    expect(read(backup('whole', 'whole')).pin).toBeUndefined();
  });

  test('trusts no time but that of a manifest that is of this backup', () => {
    expect(read(backup('whole', 'whole')).time).toBe(at('2026-01-02T03:04:05Z'));
    expect(read(without(backup('manifest-missing', 'missing'))).time).toBeUndefined();
    const renamed = read(backup('whole', 'whole', { label: 'backup_shop_20300101_000000' }));
    expect(renamed).toMatchObject({ problem: `its manifest is that of ${manifest.label}` });
    expect(renamed.time).toBeUndefined();
    expect([...renamed.held.values()]).toEqual(['unusable', 'unusable']);
  });

  test('that cannot be all is refused', () => {
    const refuse =
      (...backups: Backup[]) =>
      () =>
        refusePartialListing({ backups, unreachable: [] }, ['local', 's3']);
    expect(refuse(backup('whole', 'whole'))).not.toThrow();
    const silent = { target: 's3', error: new BackupError('STORAGE_UNAVAILABLE', 's3 does not answer') };
    expect(() => refusePartialListing({ backups: [backup('whole', 'whole')], unreachable: [silent] }, ['local', 's3'])).toThrow(
      's3 does not answer',
    );
    expect(refuse(backup('whole', 'missing'))).toThrow(
      /s3 shows no backup at all, though backup_shop_20260102_030405 was stored there/,
    );
    expect(refuse(backup('whole', 'whole', { state: 'unknown', problem: 'no answer' }))).toThrow(/no answer/);
    // It holds another one: this one may have been removed by its own rules.
    expect(refuse(backup('whole', 'missing'), backup('whole', 'whole'))).not.toThrow();
  });
});

describe('reports', () => {
  const now = at('2026-03-31T03:00:00Z');
  test('go after their years, hourly ones but the last of a day after their days', () => {
    const names = [
      'backup_report_20190101_020000.json',
      'backup_report_20260101_020000.json',
      'monthly_drill_20180107_040000.html',
      'health_report_20260210_010000.json',
      'health_report_20260210_230000.json',
      'health_report_20260210_230000_2.json',
      'health_report_20260330_010000.json',
      'ledger.jsonl',
      'scrub_state.json',
    ];
    expect(planReports(names, { years: 7, hourlyDays: 31 }, now).map(({ name, rule }) => [name, rule])).toEqual([
      ['backup_report_20190101_020000.json', 'years'],
      ['monthly_drill_20180107_040000.html', 'years'],
      ['health_report_20260210_010000.json', 'hourly'],
      ['health_report_20260210_230000.json', 'hourly'],
    ]);
  });

  test('are known by their names', () => {
    expect(parseReportName('cleanup_report_20260101_020000_12.json')).toEqual({
      kind: 'cleanup_report',
      time: at('2026-01-01T02:00:00Z'),
    });
    for (const name of [
      'ledger.jsonl',
      'backup_report_2026.json',
      'backup_report_20261301_020000.json',
      '.backup_report_20260101_020000.json.x.partial',
    ])
      expect(parseReportName(name)).toBeUndefined();
  });

  test('are known by their names, with that of the source where there is one', () => {
    const started = new Date('2026-01-01T02:00:00Z');
    for (const source of [undefined, 'shop', 'crm.a_b', 'Ärger', '20260101', '2']) {
      for (const kind of ['backup_report', 'monthly_drill']) {
        const name = reportStem(kind, source, started);
        const says = { kind, ...(source !== undefined && { source }), time: started.getTime() };
        expect([parseReportName(`${name}.json`), parseReportName(`${name}_12.html`)]).toEqual([says, says]);
      }
    }
  });

  test('are ordered by time, whatever their source', () => {
    const names = [
      'backup_report_b_20260101_020000.json',
      'backup_report_20260101_020000_2.json',
      'backup_report_a_20260102_020000.json',
    ];
    expect(names.sort(newestReportFirst).map((name) => name.slice(14))).toEqual([
      'a_20260102_020000.json',
      '20260101_020000_2.json',
      'b_20260101_020000.json',
    ]);
  });
});
