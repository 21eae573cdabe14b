import { BackupError } from '../errors.ts';
import type { ReplicationLook } from '../postgres/replication-obstacle.ts';

/** Whether WAL is streamed where that was not asked for. */
export type StreamDecision =
  | { readonly on: true }
  /** `says`: why, and what to set, in one sentence. `begun`: it was on before. */
  | { readonly on: false; readonly says: string; readonly begun: boolean };

export interface StreamFacts {
  /** The server, or why it does not answer. */
  readonly look: ReplicationLook | BackupError;
  /** Name of the slot. */
  readonly slot: string;
  /**
   * What there is of an archive. `received`: WAL has come into the folder here. `claimed`: it was about to. `stored`: only targets have some,
   * and who put it there is not known. Or why that could not be found out.
   */
  readonly archive: 'received' | 'claimed' | 'stored' | 'none' | BackupError;
  /** What has begun was off when that was noted last. */
  readonly wasOff: boolean;
  /** The source that the WAL of this server comes with; absent when it is this one. */
  readonly comesWith?: string;
}

const ANYWAY = 'PITR_ENABLED=true streams all the same';

/**
 * A slot that nobody reads fills the disk of the source, so by itself one is made only where the server limits what it may keep. What has
 * begun goes on as long as its slot is there: by then it is the reading that does the source good. Pure.
 */
export function decideStream({ look, slot: name, archive, wasOff, comesWith }: StreamFacts): StreamDecision {
  const begun = archive === 'received' || archive === 'claimed';
  const off = (...reasons: readonly string[]): StreamDecision => ({
    ...{ on: false, begun },
    says: `point-in-time recovery is off: ${reasons.join(', and ')}`,
  });
  if (comesWith !== undefined && !begun) return off(`the WAL of this server comes with the source ${comesWith}`);
  if (look instanceof BackupError) {
    return begun && !wasOff ? { on: true } : off(`the server does not say whether it allows it (${look.message})`);
  }
  const { obstacle, slot, limit, archives } = look;
  const limited = limit === 'set';
  if (archive instanceof BackupError) {
    return off(`whether some of this archive is stored already could not be found out (${archive.message})`);
  }
  if (slot !== 'none') {
    if (archive === 'none') {
      return off(
        `the replication slot ${name} is there, and is not of this archive (drop it if nobody uses it, or name another one by PITR_SLOT; ${ANYWAY})`,
      );
    }
    if (slot === 'used' && archive !== 'received') {
      return {
        ...{ on: false, begun },
        says: `point-in-time recovery is not at work here: another connection uses the replication slot ${name} (by a daemon elsewhere; to stream here as well, name another slot by PITR_SLOT)`,
      };
    }
    return { on: true };
  }
  const unlimited = limited ? [] : [unlimitedText(limit)];
  if (begun) return limited ? { on: true } : off(`the replication slot ${name} is gone`, ...unlimited);
  const reasons = [...(obstacle ? [inOneSentence(obstacle)] : []), ...unlimited];
  if (reasons.length > 0) return off(...reasons);
  if (archive === 'stored' && archives) {
    return off(
      'the server has an archive_command, and this archive has WAL already (to stream instead of wal-push, set PITR_ENABLED=true)',
    );
  }
  return { on: true };
}

function unlimitedText(limit: ReplicationLook['limit']): string {
  return limit === 'unset'
    ? `nothing limits what the server would keep for it (set max_slot_wal_keep_size there to what its disk can bear; ${ANYWAY})`
    : `the server cannot limit what it would keep for it (PostgreSQL 13 and later can; ${ANYWAY})`;
}

function inOneSentence({ message, hint }: BackupError): string {
  if (hint === undefined) return message;
  const clause = hint.replace(/\.$/, '').replace(/^[A-Z](?=[a-z ])/, (first) => first.toLowerCase());
  return `${message} (${clause})`;
}
