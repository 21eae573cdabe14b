import type { HeldState, RetentionRules, SourceState, StoredBackup } from './stored-backup.ts';

/** A backup with a verified time, on one target. */
export interface Dated extends StoredBackup {
  readonly time: number;
  readonly state: Exclude<HeldState, 'expired'>;
}

/** What one target holds of one source. Lists are newest first, by the time in the manifest. */
export interface View {
  readonly now: number;
  readonly source: SourceState;
  readonly target: string;
  readonly rules: RetentionRules;
  /** Everything that is there and not being removed. */
  readonly here: readonly StoredBackup[];
  /** Of these, what has a verified time. */
  readonly dated: readonly Dated[];
  /** Of these, what restores. */
  readonly usable: readonly Dated[];
  /** Of these, what is complete and has all its files. */
  readonly sound: readonly Dated[];
}

export function viewOf(
  backups: readonly StoredBackup[],
  source: SourceState,
  target: string,
  rules: RetentionRules,
  now: number,
): View {
  const here = backups.filter(
    (backup) => backup.source === source.name && backup.held.has(target) && backup.held.get(target) !== 'expired',
  );
  const dated = here
    .flatMap((backup): Dated[] =>
      backup.time === undefined ? [] : [{ ...backup, time: backup.time, state: backup.held.get(target) as Dated['state'] }],
    )
    .sort((a, b) => b.time - a.time || (a.key < b.key ? 1 : -1));
  const usable = dated.filter(({ state }) => state !== 'unusable');
  return { now, source, target, rules, here, dated, usable, sound: usable.filter(({ state }) => state === 'sound') };
}
