import type { CodecName } from '../codec/codec.ts';
import type { Manifest } from './manifest.ts';

/**
 * - `complete`: everything of the database, and at least one target holds it whole.
 * - `incomplete`: restorable, but something of the database is not in it; the manifest's `omitted` names it.
 * - `being-written`: a run is at work that has stored its dump, and its manifest not yet.
 * - `unindexed`: a dump whose manifest is on no target. It may be whole: `backup-manager reindex` finds out. Never to be swept.
 * - `damaged`: no target holds it whole; `problem` says what is wrong.
 * - `newer-format`: written by a newer version of this program, which alone can judge it.
 * - `expired`: its removal has begun, and no target holds a copy that is to stay.
 * - `unknown`: could be good, but the target that would have to say so cannot be reached.
 *
 * Only `complete` and `incomplete` are good. What a listing sees is names and sizes; `verify` reads the bytes.
 */
export type BackupState =
  'complete' | 'incomplete' | 'being-written' | 'unindexed' | 'damaged' | 'newer-format' | 'expired' | 'unknown';

/**
 * How one target holds a backup. `expired`: its removal from there has begun, whatever is left of it. `unreachable`: the target could
 * not be asked; nothing is known.
 */
export type CopyState =
  'whole' | 'missing' | 'size-differs' | 'manifest-missing' | 'side-file-missing' | 'unjudged' | 'expired' | 'unreachable';

export interface BackupCopy {
  readonly target: string;
  readonly location: string;
  readonly state: CopyState;
  /** Bytes of the dump file as the target says it; absent when it is not there. */
  readonly bytes?: number;
  /** More than the state says, for people: which file is missing, which size was expected. */
  readonly detail?: string;
}

export interface Backup {
  readonly label: string;
  /** Key of the dump file, equal on all targets. */
  readonly key: string;
  readonly source: string;
  readonly started: Date;
  readonly codec: CodecName;
  readonly state: BackupState;
  /** Why the state is neither `complete` nor `incomplete`. */
  readonly problem?: string;
  /** Bytes of the dump file, when known. */
  readonly bytes?: number;
  readonly manifest?: Manifest;
  /** Somebody wants it kept until it is unpinned; said on any target. */
  readonly pinned?: true;
  /** In the order of the targets given; absent copies are listed too. */
  readonly copies: readonly BackupCopy[];
}

/** Whether a listing may call the backup good. */
export function isGood(backup: Backup): boolean {
  return backup.state === 'complete' || backup.state === 'incomplete';
}
