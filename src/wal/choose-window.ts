import { parseLsn } from '../catalog/lsn.ts';
import { BackupError } from '../errors.ts';
import type { Recoverable, RecoverableWindow } from './recoverable.ts';

/** Where a recovery is to end. */
export type RecoveryTarget =
  | { readonly kind: 'latest' | 'immediate' }
  /** ISO 8601 with a zone. */
  | { readonly kind: 'time'; readonly time: string }
  | { readonly kind: 'lsn'; readonly lsn: string }
  /** It cannot be told beforehand where they are. */
  | { readonly kind: 'xid' | 'name'; readonly value: string };

/**
 * The window to recover in: that of the newest physical backup from which the target can be reached. Throws `RESTORE_REFUSED`, naming the
 * nearest target that can be reached. Pure.
 */
export function chooseWindow({ windows, unusable }: Recoverable, target: RecoveryTarget): RecoverableWindow {
  const newest = windows[0];
  if (newest === undefined) {
    const why = unusable.map(({ base, why }) => `${base}: ${why}`).join('; ');
    throw new BackupError('RESTORE_REFUSED', `there is no physical backup to recover from${why === '' ? '' : ` (${why})`}`, {
      hint: '`backup-manager create-backup --physical` makes one; a nightly logical backup restores with `backup-manager restore`.',
    });
  }
  const found = windows.find((window) => contains(window, target));
  if (found) return found;
  throw new BackupError('RESTORE_REFUSED', `${wordsOf(target)} cannot be recovered: ${nearest(windows, target)}`, {
    hint: 'Nothing was written. `backup-manager list-backups --recoverable` shows all that can be recovered, and why not more.',
  });
}

function contains(window: RecoverableWindow, target: RecoveryTarget): boolean {
  switch (target.kind) {
    case 'time': {
      const time = Date.parse(target.time);
      return window.toTime !== undefined && time >= Date.parse(window.fromTime) && time <= Date.parse(window.toTime);
    }
    case 'lsn':
      return parseLsn(target.lsn) >= parseLsn(window.fromLsn) && parseLsn(target.lsn) < parseLsn(window.toLsn);
    default:
      return true;
  }
}

function wordsOf(target: RecoveryTarget): string {
  if (target.kind === 'time') return target.time;
  return target.kind === 'lsn' ? `the place ${target.lsn}` : 'the target';
}

/** Windows are newest first: those before the target end below it, those after it begin above it. */
function nearest(windows: readonly RecoverableWindow[], target: RecoveryTarget): string {
  const byTime = target.kind === 'time';
  const edges = windows.map((window) =>
    byTime ? [window.fromTime, window.toTime ?? window.fromTime] : [window.fromLsn, window.toLsn],
  );
  const value = (edge: string | undefined): bigint => (byTime ? BigInt(Date.parse(edge!)) : parseLsn(edge!));
  const wanted = byTime ? BigInt(Date.parse(target.time)) : target.kind === 'lsn' ? parseLsn(target.lsn) : 0n;
  const before = edges.find((edge) => value(edge[1]) <= wanted)?.[1];
  const after = edges.findLast((edge) => value(edge[0]) > wanted)?.[0];
  const parts = [
    ...(before === undefined ? [] : [`the last before it that can is ${before}`]),
    ...(after === undefined ? [] : [`the first after it is ${after}`]),
  ];
  const gap = windows.find((window) => window.gap !== undefined)?.gap;
  const whys = [gap, windows[0]?.short].flatMap((why) => (why === undefined ? [] : ` (${why})`));
  return `${parts.join(', ')}${whys.join('')}`;
}
