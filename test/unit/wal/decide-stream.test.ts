import { describe, expect, test } from '@jest/globals';
import { BackupError } from '../../../src/errors.ts';
import type { ReplicationLook } from '../../../src/postgres/replication-obstacle.ts';
import { decideStream, type StreamFacts } from '../../../src/wal/decide-stream.ts';

const fit: ReplicationLook = { limit: 'set', slot: 'none', archives: false };
const noRight = new BackupError('SOURCE_PRIVILEGE', 'the role "app" may not replicate', {
  hint: 'A superuser gives it the right: ALTER ROLE app REPLICATION.',
});
const silent = new BackupError('SOURCE_UNREACHABLE', 'connection refused');

/** `on`, or why it is off; `begun: ` before it when it was on before. */
function decided(server: Partial<ReplicationLook> | BackupError, more: Partial<StreamFacts> = {}): string {
  const look = server instanceof BackupError ? server : { ...fit, ...server };
  const decision = decideStream({ look, slot: 'db_backup', archive: 'none', wasOff: false, ...more });
  if (decision.on) return 'on';
  // One sentence.
  expect(decision.says).toMatch(/^point-in-time recovery is (off|not at work here): [^\n]*[^.]$/);
  return `${decision.begun ? 'begun: ' : ''}${decision.says.replace(/^point-in-time recovery is off: /, '')}`;
}

describe('WAL is streamed by itself', () => {
  test('where the server allows it and limits what a slot may keep', () => {
    expect(decided({})).toBe('on');
    expect(decided({ archives: true })).toBe('on');
  });

  test('nowhere else, and the reasons say what to set, all of them at once', () => {
    expect(decided({ limit: 'unset' })).toBe(
      'nothing limits what the server would keep for it (set max_slot_wal_keep_size there to what its disk can bear; PITR_ENABLED=true streams all the same)',
    );
    expect(decided({ limit: 'unsupported' })).toMatch(/^the server cannot limit .*PostgreSQL 13/);
    expect(decided({ obstacle: noRight })).toBe(
      'the role "app" may not replicate (a superuser gives it the right: ALTER ROLE app REPLICATION)',
    );
    expect(decided({ obstacle: noRight, limit: 'unset' })).toMatch(/^the role .*, and nothing limits .*max_slot_wal_keep_size/);
    expect(decided(silent)).toBe('the server does not say whether it allows it (connection refused)');
  });

  test('not from a slot that may be of another daemon, whose WAL it would take away', () => {
    expect(decided({ slot: 'unused' })).toMatch(
      /^the replication slot db_backup is there, and is not of this archive .*PITR_SLOT/,
    );
    expect(decided({ slot: 'used' })).toMatch(/^the replication slot db_backup is there/);
    expect(decided({ slot: 'used' }, { archive: 'stored' })).toMatch(/not at work here: another connection uses .* db_backup/);
    expect(decided({ slot: 'used' }, { archive: 'claimed' })).toMatch(/^begun: .*another connection uses/);
    expect(decided({ slot: 'unused' }, { archive: silent })).toMatch(/could not be found out \(connection refused\)$/);
  });

  test('not beside wal-push', () => {
    expect(decided({ archives: true }, { archive: 'stored' })).toMatch(/archive_command/);
    expect(decided({}, { archive: 'stored' })).toBe('on');
  });

  test('once for each server', () => {
    expect(decided({}, { comesWith: 'shop' })).toBe('the WAL of this server comes with the source shop');
    // A slot that is left unread is worse than a second stream.
    expect(decided({ slot: 'unused' }, { comesWith: 'shop', archive: 'received' })).toBe('on');
  });
});

describe('What has begun', () => {
  test('goes on while its slot is there, whatever the server says', () => {
    for (const slot of ['unused', 'used'] as const) {
      expect(decided({ slot, limit: 'unset', obstacle: noRight }, { archive: 'received' })).toBe('on');
    }
    expect(decided({ slot: 'unused', limit: 'unset' }, { archive: 'claimed' })).toBe('on');
    expect(decided({ slot: 'unused', limit: 'unset' }, { archive: 'stored' })).toBe('on');
    expect(decided(silent, { archive: 'received' })).toBe('on');
  });

  test('fails loudly where it cannot, and does not fall silent', () => {
    expect(decided({ obstacle: noRight }, { archive: 'received' })).toBe('on');
  });

  test('gets no new slot where nothing limits it any more, and stays off until that is known to be otherwise', () => {
    expect(decided({ limit: 'unset' }, { archive: 'received' })).toMatch(
      /^begun: the replication slot db_backup is gone, and nothing limits/,
    );
    expect(decided(silent, { archive: 'received', wasOff: true })).toMatch(/^begun: the server does not say/);
    expect(decided({ limit: 'unset' }, { archive: 'received', wasOff: true })).toMatch(
      /^begun: the replication slot db_backup is gone/,
    );
    expect(decided({}, { archive: 'received', wasOff: true })).toBe('on');
  });
});
