import type { BackupError } from '../errors.ts';
import { fail, ok, warn, type HealthCheck } from './check.ts';

const SUBJECT = { check: 'replication' } as const;

/**
 * Whether the server lets its WAL be streamed. `obstacle`: why not. Where point-in-time recovery is not enabled it is only said, and where
 * WAL arrives all the same it is in the way of nothing but a second connection.
 */
export function checkReplication(
  obstacle: BackupError | undefined,
  { enabled, arrives }: { readonly enabled: boolean; readonly arrives: boolean },
): HealthCheck {
  if (!enabled) {
    const off = 'point-in-time recovery is not enabled (PITR_ENABLED)';
    return ok(SUBJECT, `${off}; ${obstacle === undefined ? 'the server would allow it' : obstacle.message}`);
  }
  if (!obstacle) return ok(SUBJECT, 'the server lets its WAL be streamed');
  const hint = obstacle.hint ?? 'Look at the log of the server.';
  if (arrives) return warn(SUBJECT, `WAL arrives, but a physical backup could not be made: ${obstacle.message}`, hint);
  return fail(SUBJECT, obstacle.message, hint);
}
