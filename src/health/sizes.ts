import { bytesText, countText, median } from '../quantities.ts';
import { fail, ok, warn, type HealthCheck } from './check.ts';

/** A backup as it counts for comparing sizes. */
export interface Size {
  readonly label: string;
  readonly rows: number;
  /** Bytes of SQL, not compressed. */
  readonly rawBytes: number;
}

/** The median of so many backups before it is what the newest is compared with: a purge is the new normal after some days. */
const BEFORE = 7;
/** Fewer rows or bytes come and go. */
const LEAST = { rows: 100, rawBytes: 64 * 1024 } as const;

/** Whether the newest of `sizes` (newest first) holds less than half of what the ones before it did. */
export function checkSizes(sizes: readonly Size[]): HealthCheck {
  const subject = { check: 'sizes' } as const;
  const [newest, ...before] = sizes.slice(0, BEFORE + 1);
  if (!newest || before.length === 0) return ok(subject, 'nothing to compare with yet');
  const usual = { rows: median(before.map(({ rows }) => rows)), rawBytes: median(before.map(({ rawBytes }) => rawBytes)) };
  const fell = (['rows', 'rawBytes'] as const).filter((what) => usual[what] >= LEAST[what] && newest[what] < usual[what] / 2);
  const holds = `${newest.label} holds ${countText(newest.rows)} rows, ${bytesText(newest.rawBytes)}`;
  const were = `those before it about ${countText(Math.round(usual.rows))} rows, ${bytesText(usual.rawBytes)}`;
  if (fell.length === 0) return ok(subject, `${holds}; ${were}`);
  const hint =
    'If nobody purged data, compare the tables in the two manifests, and pin an older backup: `backup-manager pin LABEL`.';
  if (newest.rows === 0 && usual.rows >= LEAST.rows) return fail(subject, `${holds}; ${were}: it is empty`, hint);
  return warn(subject, `${holds}; ${were}: it fell by more than half`, hint);
}
