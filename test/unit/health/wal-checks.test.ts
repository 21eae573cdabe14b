import { describe, expect, test } from '@jest/globals';
import { BackupError } from '../../../src/errors.ts';
import { checkBase } from '../../../src/health/base.ts';
import { CHECKS, type HealthCheck } from '../../../src/health/check.ts';
import { checkMayStream, checkReplication } from '../../../src/health/replication.ts';
import { checkWalStream, type StreamLook } from '../../../src/health/wal-stream.ts';

const MIB = 2 ** 20;
const now = new Date('2026-03-15T12:00:00Z');
const limits = { intervalMs: 5000, lagMs: 60_000, rpoMs: 3_600_000, keptBytes: 1024 * MIB, synchronous: false };
const earlier = (seconds: number) => new Date(now.getTime() - seconds * 1000).toISOString();
const source = {
  time: earlier(1),
  lsn: '0/5000000',
  standby: false,
  keptBytes: MIB,
  slot: 'reserved',
  commits: 'nobody',
  receiverHidden: false,
} as const;
const here = { lsn: '0/4FFFF00', time: earlier(3) };
const local = { target: 'local', waitingFiles: 0, waitingBytes: 0, reached: here };
const well: StreamLook = { writtenAt: earlier(2), phase: 'streaming', source, received: here, targets: [local] };

/** By check: `verdict: what it says`, and that whoever reads what is not well is told what to do. */
function said(checks: readonly HealthCheck[]): Record<string, string> {
  return Object.fromEntries(
    checks.map(({ check, object, verdict, says, hint }) => {
      expect(hint === undefined).toBe(verdict === 'ok');
      expect(CHECKS).toContain(check);
      return [[check, object].filter(Boolean).join(' '), `${verdict}: ${says}`];
    }),
  );
}
const of = (look: Partial<StreamLook>) => said(checkWalStream({ ...well, ...look }, limits, now));

describe('A stream of WAL', () => {
  test('that is at work says how far behind it is, in bytes and in time, here and on each target', () => {
    expect(of({})).toEqual({
      'wal stream': 'ok: received: 256 B and 2.0 s behind the source',
      'wal at source': 'ok: it keeps 1.0 MiB of WAL for us, and nothing limits that (max_slot_wal_keep_size)',
      'wal copies local': 'ok: 256 B and 2.0 s behind the source',
    });
  });

  test('is judged by what has arrived, not by the process', () => {
    const behind = (seconds: number) => of({ received: { lsn: '0/1000000', time: earlier(seconds) } })['wal stream'];
    expect(behind(30)).toMatch(/^ok: received: 64\.0 MiB/);
    expect(behind(100)).toMatch(/^warn/);
    expect(behind(1000)).toMatch(/^fail/);
  });

  test('says whether commits wait for it, where they do or are meant to', () => {
    const at = (commits: 'us' | 'absent' | 'other' | 'nobody', synchronous: boolean) =>
      said(checkWalStream({ ...well, source: { ...source, commits } }, { ...limits, synchronous }, now))['commits'];
    expect(at('nobody', false)).toBeUndefined();
    expect(at('other', false)).toBeUndefined();
    expect(at('nobody', true)).toMatch(/^fail: they do not wait for us/);
    expect(at('other', true)).toMatch(/^fail: they wait for another standby/);
    expect(at('us', false)).toMatch(/^ok/);
    expect(at('absent', false)).toMatch(/^fail: .*nothing is received/);
  });

  test('of a standby that is idle is well, however long ago its last commit was', () => {
    const idle = { ...source, standby: true, time: earlier(5000), lsn: here.lsn };
    const looks = { source: idle, received: { ...here, time: earlier(9000) } };
    expect(of(looks)['wal stream']).toBe('ok: received: 0 B and 0.0 s behind the source');
  });

  test('that does not come about, was stopped, or has said nothing for long is not well', () => {
    const problem = { message: 'the role may not replicate', hint: 'Let it.' };
    expect(of({ phase: 'failing', problem })['wal stream']).toBe('fail: no WAL arrives: the role may not replicate');
    expect(of({ phase: 'held', problem })['wal stream']).toMatch(/^fail/);
    expect(of({ phase: 'stopped' })['wal stream']).toMatch(/^fail/);
    expect(of({ writtenAt: earlier(600) })).toMatchObject({ 'wal stream': expect.stringMatching(/^fail.*10 min/) });
    expect(of({ writtenAt: earlier(600) })).not.toHaveProperty('wal at source');
    expect(of({ phase: 'starting' })['wal stream']).toMatch(/^warn/);
    expect(said(checkWalStream(undefined, limits, now))['wal stream']).toMatch(/^warn/);
    expect(said(checkWalStream(new BackupError('INTERNAL', 'oops'), limits, now))['wal stream']).toMatch(/^fail/);
  });

  test('warns early of what the source keeps for it', () => {
    const at = (more: object) => of({ source: { ...source, ...more } })['wal at source'];
    expect(at({ keptBytes: 2048 * MIB })).toMatch(/^warn: it keeps 2\.0 GiB/);
    const limit = { limitBytes: 100 * MIB, walBytes: 80 * MIB };
    expect(at({ ...limit, keptBytes: 40 * MIB, safeBytes: 60 * MIB })).toMatch(/^ok: .*of 100 MiB at most.*pg_wal has 80\.0 MiB/);
    expect(at({ ...limit, keptBytes: 60 * MIB, safeBytes: 40 * MIB })).toMatch(/^warn/);
    expect(at({ slot: 'unreserved' })).toMatch(/^fail/);
    expect(at({ slot: 'lost' })).toMatch(/^fail: .*gap/);
    expect(at({ slot: 'none' })).toMatch(/^fail/);
  });

  test('says what waits for a target, since when, and why', () => {
    const s3 = { target: 's3', waitingFiles: 3, waitingBytes: 48 * MIB, problem: 'no answer' };
    const on = (time: string | undefined) =>
      of({ targets: [{ ...s3, reached: { lsn: '0/2000000', ...(time !== undefined && { time }) } }] })['wal copies s3'];
    expect(on(earlier(121))).toBe('warn: 48.0 MiB and 2 min 0 s behind the source; 3 files (48.0 MiB) wait for it; no answer');
    expect(on(earlier(7200))).toMatch(/^fail/);
    expect(on(undefined)).toMatch(/^warn/);
    expect(of({ targets: [s3] })['wal copies s3']).toMatch(/^warn: how far it is is not known yet/);
  });
});

describe('The newest physical backup', () => {
  const window = { base: 'base_shop', fromTime: earlier(86_400), toTime: earlier(2) };
  const day = 24 * 60 * 60_000;
  const base = (look: Parameters<typeof checkBase>[0], limitMs = 8 * day) => said([checkBase(look, limitMs, now)])['base backup'];

  test('is young enough, and nothing is missing since', () => {
    expect(base({ window, since: earlier(2 * 86_400) })).toMatch(/^ok: base_shop, 24 h old; any instant from 2026-03-13/);
    expect(base({ window }, day / 2)).toMatch(/^warn/);
    expect(base({ window: { ...window, gap: '0001 is missing' } })).toMatch(/^fail: .*0001 is missing/);
    expect(base({})).toMatch(/^warn/);
    expect(base(new BackupError('INTERNAL', 'oops'))).toMatch(/^fail/);
  });
});

describe('A server that does not let its WAL be streamed', () => {
  const obstacle = new BackupError('SOURCE_FAILED', 'wal_level is minimal', { hint: 'Raise it.' });
  const of = (enabled: boolean, arrives: boolean, error?: BackupError) =>
    said([checkReplication(error, { enabled, arrives })])['replication'];

  test('is a failure only where that is wanted', () => {
    expect(of(false, false, obstacle)).toBe('ok: point-in-time recovery is not enabled (PITR_ENABLED); wal_level is minimal');
    expect(of(false, false)).toMatch(/the server would allow it$/);
    expect(of(true, false, obstacle)).toBe('fail: wal_level is minimal');
    expect(of(true, true, obstacle)).toMatch(/^warn/);
    expect(of(true, true)).toMatch(/^ok/);
  });

  test('is well where that is left to the server, unless WAL was streamed before or the server is in danger', () => {
    const off = { on: false, says: 'it is off: wal_level is minimal' } as const;
    const may = (decision: Parameters<typeof checkMayStream>[0]) => said([checkMayStream(decision)])['replication'];
    expect(may({ ...off, begun: false })).toBe('ok: it is off: wal_level is minimal');
    expect(may({ ...off, begun: true })).toBe('warn: it is off: wal_level is minimal');
    expect(may({ on: true })).toMatch(/^ok: .*begins with the daemon/);
    const streamed = (error?: BackupError) =>
      said([checkReplication(error, { enabled: true, arrives: false, endangers: true })])['replication'];
    expect(streamed()).toMatch(/^warn: .*max_slot_wal_keep_size/);
    expect(streamed(obstacle)).toBe('fail: wal_level is minimal');
  });
});
