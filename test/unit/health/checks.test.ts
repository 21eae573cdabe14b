import { describe, expect, test } from '@jest/globals';
import type { Backup, BackupCopy, BackupState } from '../../../src/catalog/backup.ts';
import { BackupError } from '../../../src/errors.ts';
import { CHECKS, inOrder, ok, unchecked, worstOf, type HealthCheck } from '../../../src/health/check.ts';
import { checkClock } from '../../../src/health/clock.ts';
import { checkCopies } from '../../../src/health/copies.ts';
import { checkDrillPrograms } from '../../../src/health/drill-programs.ts';
import { checkFreshness } from '../../../src/health/freshness.ts';
import { checkLastRun } from '../../../src/health/last-run.ts';
import { checkLeftovers } from '../../../src/health/leftovers.ts';
import { checkLedger } from '../../../src/health/ledger.ts';
import { checkPermissions, type Seen } from '../../../src/health/permissions.ts';
import { checkProof, checkRecoveryProof } from '../../../src/health/proof.ts';
import { checkRecoveryPoint } from '../../../src/health/recovery-point.ts';
import { checkClientPrograms, checkServer } from '../../../src/health/server.ts';
import { checkSizes } from '../../../src/health/sizes.ts';
import { checkSpace } from '../../../src/health/space.ts';
import { checkStates } from '../../../src/health/states.ts';
import { checkTarget } from '../../../src/health/target.ts';
import { checkAlerts } from '../../../src/health/undelivered.ts';

const HOUR = 60 * 60_000;
const DAY = 24 * HOUR;
const now = new Date('2026-03-15T12:00:00Z');
const ago = (ms: number) => new Date(now.getTime() - ms);
const broken = new BackupError('STORAGE_UNAVAILABLE', 'it does not answer', { hint: 'Start it.' });

function copy(target: string, state: BackupCopy['state'] = 'whole'): BackupCopy {
  return { target, location: `${target}/x`, state, bytes: 100 };
}

function backup(label: string, age: number, state: BackupState = 'complete', copies = [copy('local'), copy('s3')]): Backup {
  return { label, key: `full/${label}.sql.gz`, source: 'shop', started: ago(age), codec: 'gzip', state, copies };
}

/** `verdict: what it says`, and that whoever reads what is not well is told what to do. */
function said(check: HealthCheck): string {
  expect(check.hint === undefined).toBe(check.verdict === 'ok');
  expect(CHECKS).toContain(check.check);
  return `${check.verdict}${check.unchecked ? ' (unchecked)' : ''}: ${check.says}`;
}

describe('Health', () => {
  test('is as bad as the worst check, and what was not looked at is never well', () => {
    const subject = { check: 'clock' } as const;
    expect(worstOf([])).toBe('fail');
    expect(worstOf([ok(subject, '')])).toBe('ok');
    expect(worstOf([ok(subject, ''), unchecked(subject, 'warn', broken)])).toBe('warn');
    expect(worstOf([ok(subject, ''), unchecked(subject, 'fail', broken), unchecked(subject, 'warn', broken)])).toBe('fail');
    expect(said(unchecked(subject, 'warn', new BackupError('INTERNAL', 'oops')))).toBe(
      'warn (unchecked): could not be checked: oops',
    );
    expect(inOrder([ok({ check: 'alerts' }, ''), ok({ check: 'database' }, '')]).map(({ check }) => check)).toEqual([
      'database',
      'alerts',
    ]);
  });

  test('server: answers, or says why not', () => {
    expect(said(checkServer({ version: '17.6', standby: true }))).toBe('ok: PostgreSQL 17.6 (standby) answers');
    expect(said(checkServer({ error: broken }))).toBe('fail: it does not answer');
  });

  test('programs: of backups are needed, of the drill are wanted, and without a version nobody knows', () => {
    const found = { version: '17.6', directory: '/bin' };
    expect([said(checkClientPrograms(found)), said(checkDrillPrograms(found))]).toEqual(['ok: 17.6 in /bin', 'ok: 17.6 in /bin']);
    expect(said(checkClientPrograms({ error: broken }))).toBe('fail: it does not answer');
    expect(said(checkDrillPrograms({ error: broken }))).toBe('warn: the restore drill cannot run: it does not answer');
    expect(said(checkClientPrograms({ error: broken, unknown: true }))).toMatch(/^warn \(unchecked\)/);
    expect(said(checkDrillPrograms({ error: broken, unknown: true }))).toMatch(/^warn \(unchecked\)/);
  });

  test.each([
    ['within the time of the answer', 0, 1, "ok: agrees with the server's"],
    ['a little ahead', 4000, 1, "ok: 4 s ahead of the server's"],
    ['ahead', 30_000, 1, "warn: 30 s ahead of the server's"],
    ['behind', -30_000, 1, "warn: 30 s behind the server's"],
    ['far ahead', 10 * 60_000, 1, expect.stringMatching(/^fail: 600 s ahead/)],
    ['far behind', -10 * 60_000, 1, expect.stringMatching(/^fail: 600 s behind/)],
    ['a slow answer explains it', 20_000, 30_000, "ok: agrees with the server's"],
  ])('clock: %s', (_name, aheadMs, answerMs, expected) => {
    const server = ago(aheadMs);
    const reading = {
      before: new Date(now.getTime() - answerMs / 2 - (answerMs > 1 ? aheadMs : 0)),
      server,
      after: new Date(now.getTime() + answerMs / 2),
    };
    expect(said(checkClock(reading))).toEqual(expected);
  });

  test('clock: not known without an answer', () => {
    expect(said(checkClock(broken))).toMatch(/^warn \(unchecked\)/);
  });

  test('target: a canary that does not come back fails', () => {
    expect(said(checkTarget('s3', 's3://b/full', undefined))).toMatch(/^ok/);
    expect(said(checkTarget('s3', 's3://b/full', broken))).toBe('fail: it does not answer');
  });

  test('freshness: up to the limit, not a minute more, and nothing is old', () => {
    const of = (newest: Backup | undefined, unlisted: string[] = []) =>
      said(checkFreshness({ newest, limitMs: 26 * HOUR, now, unlisted }));
    expect(of(backup('a', 26 * HOUR))).toMatch(/^ok: .*a, is 26 h old/);
    expect(of(backup('a', 26 * HOUR + 60_000))).toMatch(/^fail: .* at least every 26 h/);
    expect(of(undefined, ['s3'])).toBe('fail: there is no good backup (not asked: s3)');
    expect(of(backup('a', -HOUR))).toMatch(/^fail: .*from the future/);
  });

  test('copies: each target for itself', () => {
    const of = (target: string, backups: Backup[], error?: BackupError) =>
      said(checkCopies({ target, error, backups, limitMs: 26 * HOUR, now }));
    const lacking = backup('b', HOUR, 'complete', [copy('local'), copy('s3', 'missing')]);
    expect(of('local', [lacking, backup('a', DAY)])).toMatch(/^ok: .*b/);
    expect(of('s3', [lacking, backup('a', DAY)])).toMatch(/^warn: .*a, 24 h old; b is not whole there/);
    expect(of('s3', [lacking, backup('a', 3 * DAY)])).toMatch(/^fail: .*a, 3 d old/);
    expect(of('s3', [lacking])).toMatch(/^fail: s3 holds no whole copy/);
    expect(of('s3', [lacking], broken)).toMatch(/^fail \(unchecked\)/);
  });

  test('proof: a drill every month, and a young installation has time for its first', () => {
    const of = (age: number | undefined, known: number | undefined) =>
      said(
        checkProof({
          newest: age === undefined ? undefined : { label: 'a', at: ago(age) },
          first: known === undefined ? undefined : ago(known),
          now,
        }),
      );
    expect(of(35 * DAY, 100 * DAY)).toMatch(/^ok/);
    expect(of(36 * DAY, 100 * DAY)).toMatch(/^fail/);
    expect(of(undefined, 34 * DAY)).toMatch(/^warn/);
    expect(of(undefined, undefined)).toMatch(/^warn/);
    expect(of(undefined, 36 * DAY)).toMatch(/^fail: no drill has proven/);
    expect(said(checkProof(broken))).toMatch(/^fail \(unchecked\)/);
    const never = { newest: undefined, first: ago(36 * DAY), now };
    expect(said(checkRecoveryProof(never))).toBe('fail: no drill has proven a recovery to an instant');
    expect(checkRecoveryProof(never).hint).toContain('monthly-drill --pitr');
  });

  test('recovery point: one that the schedule cannot meet is a warning with its remedy, never a failure', () => {
    expect(said(checkRecoveryPoint({ targetMinutes: 60, scheduleMinutes: 60 }))).toMatch(/^ok/);
    const late = checkRecoveryPoint({ targetMinutes: 60, scheduleMinutes: 1440 });
    expect(said(late)).toBe('warn: a backup every 24 h cannot meet a recovery point of 60 min');
    expect(late.hint).toMatch(/BACKUP_SCHEDULE.*write-ahead log.*DRILL_RPO_MINUTES/);
    expect(said(checkRecoveryPoint({ targetMinutes: 60, scheduleMinutes: undefined }))).toMatch(/^warn: no schedule/);
  });

  test('last run: what was not a success is worth a look', () => {
    const startedAt = now.toISOString();
    expect(said(checkLastRun({ outcome: 'success', startedAt }))).toMatch(/^ok/);
    expect(said(checkLastRun({ outcome: 'failure', startedAt, message: 'no server' }))).toMatch(/^warn: failure, .*: no server/);
    expect(said(checkLastRun(undefined))).toMatch(/^warn/);
    expect(said(checkLastRun(broken))).toMatch(/^warn \(unchecked\)/);
  });

  test('backups: damaged ones fail, those that cannot be judged warn, a dump that may just be made warns', () => {
    const of = (...backups: Backup[]) => said(checkStates(backups, now));
    expect(of(backup('a', DAY), backup('b', DAY, 'incomplete'), backup('c', DAY, 'expired'))).toBe('ok: 3 stored, none damaged');
    expect(of(backup('a', DAY, 'damaged'))).toBe('fail: 1 damaged (a)');
    expect(of(backup('a', 2 * DAY, 'unindexed'))).toBe('fail: 1 unindexed (a)');
    expect(of(backup('a', HOUR, 'unindexed'))).toBe('warn: 1 unindexed (a)');
    expect(of(backup('a', DAY, 'unknown'), backup('b', DAY, 'newer-format'))).toBe('warn: 1 newer-format (b); 1 unknown (a)');
    const many = ['a', 'b', 'c', 'd', 'e'].map((label) => backup(label, DAY, 'damaged'));
    expect(of(...many)).toBe('fail: 5 damaged (a, b, c and 2 more)');
  });

  test('sizes: less than half of what was usual is worth a look, nothing at all fails', () => {
    const size = (rows: number, rawBytes = rows * 1000) => ({ label: `r${rows}`, rows, rawBytes });
    const usual = [1000, 990, 980, 970, 960, 950, 940].map((rows) => size(rows));
    expect(said(checkSizes([]))).toMatch(/^ok/);
    expect(said(checkSizes([size(1)]))).toMatch(/^ok/);
    expect(said(checkSizes([size(485), ...usual]))).toMatch(/^ok/);
    expect(said(checkSizes([size(484), ...usual]))).toMatch(/^warn: r484 holds 484 rows.*fell by more than half/);
    expect(said(checkSizes([size(1000, 1000), ...usual]))).toMatch(/^warn/);
    expect(said(checkSizes([size(0, 500_000), ...usual]))).toMatch(/^fail: .*empty/);
    // A few rows come and go.
    expect(said(checkSizes([size(1, 10), size(90, 9000)]))).toMatch(/^ok/);
    // One odd night is not what was usual.
    expect(said(checkSizes([size(900), size(5000), ...usual]))).toMatch(/^ok/);
  });

  test('space: for the next backup it must be there, and should be for all until the clean-up', () => {
    const sizes = [1, 2, 3].map((days) => ({ at: ago(days * DAY), bytes: 1000 }));
    const runs = [1, 2, 3].map((days) => new Date(now.getTime() + days * DAY));
    const of = (free: number | BackupError, sources = [sizes]) => said(checkSpace({ target: 'local', free, sources, runs }));
    // A tenth more than the last for each.
    expect(of(3300)).toMatch(/^ok/);
    expect(of(3299)).toMatch(/^warn: .*the next 3/);
    expect(of(1099)).toMatch(/^fail: .*the next backup/);
    // Sources that share the disk count together.
    expect(of(3300, [sizes, sizes])).toMatch(/^warn/);
    expect(of(2199, [sizes, sizes])).toMatch(/^fail/);
    expect([of(1, []), of(0, [])]).toEqual([expect.stringMatching(/^ok/), expect.stringMatching(/^fail/)]);
    expect(of(broken)).toMatch(/^warn \(unchecked\)/);
  });

  test('permissions: what others may read or change fails, what a group may is worth a look', () => {
    const seen = (mode: number, use: Seen['use'] = 'private', uid = 1000): Seen => ({ path: '/b/x', mode, uid, use });
    const of = (...all: Seen[]) => said(checkPermissions({ seen: all, owners: [1000, 0] }));
    expect(of(seen(0o100600), seen(0o40755, 'shared'), seen(0o100644, 'shared'), seen(0o100600, 'private', 0))).toMatch(/^ok/);
    expect(of(seen(0o100604))).toBe('fail: /b/x (604): open to everybody on the machine');
    expect(of(seen(0o40777, 'shared'))).toMatch(/^fail: .*writable by others/);
    expect(of(seen(0o41777, 'shared'))).toMatch(/^ok/);
    expect(of(seen(0o100600, 'private', 1001))).toMatch(/^fail: .*another account/);
    expect(of(seen(0o100640))).toMatch(/^warn: .*group/);
    expect(of()).toMatch(/^ok/);
    expect(said(checkPermissions(broken))).toMatch(/^warn \(unchecked\)/);
  });

  test('leftovers, ledger and alerts: well, worth a look, failed', () => {
    expect([said(checkLeftovers([])), said(checkLeftovers(['/b/x'])), said(checkLeftovers(broken))]).toEqual([
      'ok: none',
      'warn: 1 older than a day: /b/x',
      expect.stringMatching(/^warn \(unchecked\)/),
    ]);
    const look = { read: 2, lines: 5, signed: true, breaks: [] };
    expect(said(checkLedger(look))).toBe('ok: 5 entries, the last 2 of them read again, whole');
    expect(said(checkLedger({ ...look, signed: false }))).toMatch(/^ok: .*not signed/);
    expect(said(checkLedger({ ...look, breaks: ['line 3: it is no entry'] }))).toBe('fail: line 3: it is no entry');
    expect([said(checkLedger(undefined)), said(checkLedger(broken))]).toEqual([
      'warn: no evidence is kept',
      expect.stringMatching(/^fail \(unchecked\)/),
    ]);
    expect(said(checkAlerts({ channels: ['slack'], undelivered: [] }))).toBe('ok: delivered by slack');
    expect(said(checkAlerts({ channels: [], undelivered: [] }))).toBe('warn: nobody is told of problems');
    const undelivered = [{ channel: 'slack', since: 'then', message: '404' }];
    expect(said(checkAlerts({ channels: ['slack'], undelivered }))).toBe('fail: not delivered by slack since then: 404');
    expect(said(checkAlerts(broken))).toMatch(/^warn \(unchecked\)/);
  });
});
