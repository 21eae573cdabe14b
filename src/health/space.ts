import type { BackupError } from '../errors.ts';
import { bytesText } from '../quantities.ts';
import { fail, ok, unchecked, warn, type HealthCheck } from './check.ts';
import { forecastBytes, type Measured } from './growth.ts';

export interface SpaceInput {
  readonly target: string;
  /** Free bytes, or why that is not known. */
  readonly free: number | BackupError;
  /** Sizes of what is stored there, by source: they share the disk. */
  readonly sources: readonly (readonly Measured[])[];
  /** When backups are made until the clean-up after the next one has made room; at least one. */
  readonly runs: readonly Date[];
}

/** Whether a target has room for the next backup, and for all until old ones have been removed. */
export function checkSpace({ target, free, sources, runs }: SpaceInput): HealthCheck {
  const subject = { check: 'space', object: target } as const;
  if (typeof free !== 'number') return unchecked(subject, 'warn', free);
  const needed = runs.map((run) => sources.reduce((sum, sizes) => sum + (forecastBytes(sizes, run) ?? 0), 0));
  const [next = 0] = needed;
  const all = needed.reduce((sum, bytes) => sum + bytes, 0);
  const has = `${bytesText(free)} free`;
  if (next === 0) return free > 0 ? ok(subject, `${has}; no backup yet to tell by`) : fail(subject, has, 'Make room.');
  const hint = `Give ${target} more room, or keep less: docs/retention.md. \`backup-manager cleanup --dry-run\` shows what would go now.`;
  if (free < next) return fail(subject, `${has}; the next backup may need ${bytesText(next)}`, hint);
  const forecast = `the next ${runs.length} until old ones have been removed may need ${bytesText(all)}`;
  return free < all ? warn(subject, `${has}; ${forecast}`, hint) : ok(subject, `${has}; ${forecast}`);
}
