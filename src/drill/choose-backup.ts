import { isGood, type Backup } from '../catalog/backup.ts';
import type { Manifest } from '../catalog/manifest.ts';
import type { Finding } from './check.ts';

export interface Wanted {
  /** Only this backup. */
  readonly label?: string;
  /** Only backups of this database, by its configured name or its own. */
  readonly database?: string;
}

/** A backup that may be drilled. */
export interface Candidate {
  readonly backup: Backup;
  readonly manifest: Manifest;
}

/** What is to be said of a backup before any byte of it is read. `damage` is a failure of the drill; `unknown` could not be looked at. */
export interface Remark extends Finding {
  readonly kind: 'damage' | 'unknown' | 'note';
}

export interface Candidates {
  /** To be tried in this order, newest first. */
  readonly usable: readonly { readonly candidate: Candidate; readonly remarks: readonly Remark[] }[];
  /** Of backups that are newer than the first usable one, and so would be drilled if they could be. */
  readonly passedOver: readonly Remark[];
}

/**
 * The backups that a drill from `target` may take, newest first, judged by the listing of all targets. What is newer and cannot be
 * taken is remarked upon: that the newest backup is damaged must not go unnoticed because an older one is good.
 */
export function chooseBackups(backups: readonly Backup[], target: string, wanted: Wanted): Candidates {
  const passedOver: Remark[] = [];
  const usable: Candidates['usable'][number][] = [];
  for (const backup of backups.filter((each) => matches(each, wanted))) {
    if (backup.state === 'expired') continue;
    const judged = judge(backup, target);
    if ('candidate' in judged) usable.push(judged);
    else if (usable.length === 0) passedOver.push(judged.remark);
  }
  return { usable, passedOver };
}

function matches({ label, source, manifest }: Backup, wanted: Wanted): boolean {
  if (wanted.label !== undefined) return label === wanted.label;
  return wanted.database === undefined || source === wanted.database || manifest?.database.name === wanted.database;
}

function judge(
  backup: Backup,
  target: string,
): { readonly candidate: Candidate; readonly remarks: readonly Remark[] } | { readonly remark: Remark } {
  const { label, manifest, state, problem } = backup;
  const remark = (kind: Remark['kind'], message: string, hint?: string) => ({
    remark: { kind, object: label, message, ...(hint !== undefined && { hint }) },
  });
  if (state === 'unindexed')
    return remark('damage', problem ?? 'its manifest is lost', `Rebuild it: backup-manager reindex ${label}`);
  if (state === 'damaged') return remark('damage', problem ?? 'no target holds it whole', REPLACE);
  if (!isGood(backup) || manifest === undefined) {
    return remark(
      'unknown',
      problem ?? `its state is ${state}`,
      'Make every target reachable, and use the newest version of this program.',
    );
  }
  const copy = backup.copies.find((each) => each.target === target);
  const promised = manifest.copies.some((each) => each.target === target);
  const where = copy?.location ?? target;
  switch (copy?.state) {
    case 'whole':
      return { candidate: { backup, manifest }, remarks: notes(backup, manifest) };
    case 'side-file-missing':
    case 'manifest-missing': {
      const message = `${where}: ${copy.detail ?? 'its manifest is missing there, though another target has it'}`;
      const damage: Remark = { kind: 'damage', object: label, message, hint: REPLACE };
      return { candidate: { backup, manifest }, remarks: [damage, ...notes(backup, manifest)] };
    }
    case 'size-differs':
    case 'unjudged':
      return remark('damage', `${where}: ${copy.detail ?? copy.state}`, REPLACE);
    case 'unreachable':
      return remark('unknown', `${target} could not be asked`);
    case 'expired':
    case 'missing':
    case undefined:
      if (promised) return remark('damage', `it is missing on ${target}, though it was stored there`, REPLACE);
      return remark('note', `${target} has no copy of it: what a disaster would leave there is older`);
  }
}

const REPLACE = 'Make a new backup (backup-manager create-backup), and find out what damaged this one.';

function notes({ label }: Backup, { omitted }: Manifest): Remark[] {
  return omitted.map(({ object, reason }) => ({
    kind: 'note',
    object: label,
    message: `${object} was left out of it: ${reason}`,
  }));
}
