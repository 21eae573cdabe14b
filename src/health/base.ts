import type { BackupError } from '../errors.ts';
import { ageText, durationText } from '../quantities.ts';
import { fail, ok, unchecked, warn, type HealthCheck } from './check.ts';

export interface BaseLook {
  /** What can be recovered from the newest physical backup on; absent when there is none that is whole. */
  readonly window?: {
    readonly base: string;
    readonly fromTime: string;
    readonly toTime?: string;
    readonly gap?: string;
    readonly short?: string;
  };
  /** Since when any instant can be recovered without a gap. */
  readonly since?: string;
}

const SUBJECT = { check: 'base backup' } as const;
const SHORT = 'The daemon copies the open segment anew every few seconds: see `wal stream` and `wal copies` for why it does not.';
const MAKE = 'Make a physical backup: `backup-manager create-backup --physical`.';

/** Whether the newest physical backup is young enough, and the WAL since then without a gap. `limitMs`: how old it may be. */
export function checkBase(look: BaseLook | BackupError, limitMs: number, now: Date): HealthCheck {
  if (look instanceof Error) return unchecked(SUBJECT, 'fail', look);
  const { window, since } = look;
  if (!window) return warn(SUBJECT, 'no physical backup is whole: nothing can be recovered to an instant', MAKE);
  const age = ageText(new Date(window.fromTime), now);
  const says = `${window.base}, ${age} old; any instant from ${since ?? window.fromTime} to ${window.toTime ?? 'its end'}`;
  if (window.gap !== undefined) return fail(SUBJECT, `${says}, where a gap begins: ${window.gap}`, MAKE);
  if (window.short !== undefined) return warn(SUBJECT, `${says}, and not further: ${window.short}`, SHORT);
  if (now.getTime() - Date.parse(window.fromTime) <= limitMs) return ok(SUBJECT, says);
  return warn(SUBJECT, `${says}; the schedule makes one at least every ${durationText(limitMs)}`, MAKE);
}
