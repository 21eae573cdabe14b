/** What is known of a job when the daemon starts. */
export interface JobAtStart<J> {
  readonly job: J;
  /** Name of its source. */
  readonly source: string;
  /** The newest slot, not too old to be made up for, that nothing was run for. */
  readonly owed?: Date;
  /** Of a job that makes backups: whether there is a good one. `unknown`: none was seen, and not everything could be looked at. */
  readonly goodBackup?: 'yes' | 'none' | 'unknown';
}

/** A run that is due at the start, and why. */
export interface DueAtStart<J> {
  readonly job: J;
  readonly slot?: Date;
  readonly why: string;
  /** How long after the start it begins. */
  readonly afterMs: number;
}

export interface StartRules {
  /** Between the runs of one source and those of the next. */
  readonly staggerMs: number;
}

/**
 * What is run at the start although it is no slot: of each source first a backup if it has none, then the newest slot of each job that
 * was missed. Sources without a backup come first, and each source has its turn `staggerMs` after the one before.
 */
export function dueAtStart<J>(jobs: readonly JobAtStart<J>[], { staggerMs }: StartRules): DueAtStart<J>[] {
  const due = jobs.flatMap((each) => {
    const why = whyDue(each);
    return why === undefined ? [] : [{ ...each, why }];
  });
  const first = due.filter(({ goodBackup }) => goodBackup === 'none' || goodBackup === 'unknown');
  const turns = [...new Set([...first, ...due].map(({ source }) => source))];
  return due
    .map(({ job, source, owed, why }) => ({ job, ...(owed && { slot: owed }), why, afterMs: turns.indexOf(source) * staggerMs }))
    .sort((a, b) => a.afterMs - b.afterMs);
}

function whyDue<J>({ source, owed, goodBackup }: JobAtStart<J>): string | undefined {
  if (goodBackup === 'none') return `${source} has no good backup`;
  if (goodBackup === 'unknown') return `no good backup of ${source} was seen, and not every target could be looked at`;
  if (owed) return `the run of ${owed.toISOString()} was missed, or did not come to its end`;
  return undefined;
}
