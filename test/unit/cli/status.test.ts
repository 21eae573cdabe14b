import { describe, expect, test } from '@jest/globals';
import type { Backup } from '../../../src/catalog/backup.ts';
import { badBackups } from '../../../src/cli/bad-backups.ts';
import { staleness } from '../../../src/cli/status.ts';

const HOUR = 60 * 60_000;
const now = new Date('2026-01-05T12:00:00Z');

function startedHoursAgo(hours: number): Pick<Backup, 'started'> {
  return { started: new Date(now.getTime() - hours * HOUR) };
}

function messages(problems: readonly Error[]): string[] {
  return problems.map(({ message }) => message);
}

describe('The newest good backup', () => {
  test('may be as old as the longest gap of the schedule and two hours', () => {
    expect(staleness(startedHoursAgo(26), 24 * HOUR, now)).toEqual([]);
    expect(messages(staleness(startedHoursAgo(27), 24 * HOUR, now))).toEqual([
      'the newest good backup is 27 h old, and the schedule makes one at least every 24 h',
    ]);
  });

  test('has no age to judge when nothing is scheduled again', () => {
    expect(staleness(startedHoursAgo(1000), undefined, now)).toEqual([]);
  });

  test('must exist', () => {
    expect(staleness(undefined, 24 * HOUR, now)).toMatchObject([{ code: 'BACKUP_UNKNOWN' }]);
  });
});

describe('Backups that cannot be relied on', () => {
  const backup = (label: string, state: Backup['state']) => ({ label, state }) as Backup;

  test('are a problem each state, with an exit status of its own', () => {
    const backups = [
      ...[backup('a', 'complete'), backup('b', 'damaged'), backup('c', 'incomplete'), backup('d', 'expired')],
      ...[backup('e', 'unindexed'), backup('f', 'unknown'), backup('g', 'newer-format'), backup('h', 'damaged')],
    ];
    expect(badBackups({ backups }).map(({ message, exitStatus }) => [message, exitStatus])).toEqual([
      ['2 damaged (b, h)', 30],
      ['1 unindexed (e)', 30],
      ['1 newer-format (g)', 30],
      ['1 unknown (f)', 20],
    ]);
    expect(badBackups({ backups: [backup('a', 'complete'), backup('d', 'expired')] })).toEqual([]);
  });

  test('are not all named when they are many', () => {
    const backups = ['a', 'b', 'c', 'd', 'e'].map((label) => backup(label, 'damaged'));
    expect(messages(badBackups({ backups }))).toEqual(['5 damaged (a, b, c and 2 more)']);
  });
});
