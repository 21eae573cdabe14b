import type { BackupError } from '../errors.ts';
import { fail, ok, warn, type HealthCheck } from './check.ts';

const SUBJECT = { check: 'replication' } as const;

/** Whether WAL is streamed where that was not asked for. */
export type MayStream =
  { readonly on: true } | { readonly on: false; readonly says: string; /** It was before. */ readonly begun: boolean };

/**
 * Whether the server lets its WAL be streamed. `obstacle`: why not. Where point-in-time recovery is not enabled it is only said, and where
 * WAL arrives all the same it is in the way of nothing but a second connection. `endangers`: it was not asked for, and nothing limits what
 * the server keeps.
 */
export function checkReplication(
  obstacle: BackupError | undefined,
  { enabled, arrives, endangers = false }: { readonly enabled: boolean; readonly arrives: boolean; readonly endangers?: boolean },
): HealthCheck {
  if (!enabled) {
    const off = 'point-in-time recovery is not enabled (PITR_ENABLED)';
    return ok(SUBJECT, `${off}; ${obstacle === undefined ? 'the server would allow it' : obstacle.message}`);
  }
  if (!obstacle && endangers) {
    return warn(
      SUBJECT,
      'WAL is streamed, and nothing limits any more what the server keeps for it when the daemon is gone (max_slot_wal_keep_size)',
      'Set max_slot_wal_keep_size to what its disk can bear. Or say what is meant: PITR_ENABLED=true; or PITR_ENABLED=false, and drop the slot.',
    );
  }
  if (!obstacle) return ok(SUBJECT, 'the server lets its WAL be streamed');
  const hint = obstacle.hint ?? 'Look at the log of the server.';
  if (arrives) return warn(SUBJECT, `WAL arrives, but a physical backup could not be made: ${obstacle.message}`, hint);
  return fail(SUBJECT, obstacle.message, hint);
}

/** What is left to the server, and is off: that is well, unless it was on before. */
export function checkMayStream(decision: MayStream): HealthCheck {
  if (decision.on) return ok(SUBJECT, 'the server lets its WAL be streamed: point-in-time recovery begins with the daemon');
  if (!decision.begun) return ok(SUBJECT, decision.says);
  return warn(SUBJECT, decision.says, 'What was archived stays. PITR_ENABLED=false says that it is meant to be off.');
}
