/** What happened to a run or to a slot of the schedule. `done`: its work was done; `result` says whether all of it. */
export type SlotState = 'done' | 'failed' | 'aborted' | 'missed' | 'skipped';

export interface ReportProof {
  /** Relative to the folder of the ledger; the whole address if the report is not on a disk. */
  readonly file: string;
  /** Of the report's bytes. */
  readonly sha256: string;
}

/** One run, or one slot of the schedule that had none. */
export interface JobDraft {
  readonly kind: 'job';
  readonly job: string;
  readonly state: SlotState;
  /** Name of the source; absent in entries from before there were several, and of a job that is for all of them. */
  readonly source?: string;
  /** When it was due; absent for a run by hand. */
  readonly slot?: string;
  /** With more missed slots than are listed one by one: the last of them, and how many the entry is for. */
  readonly through?: string;
  readonly slots?: number;
  /** Of a slot that has its entry already (the clock was set back, or two daemons run): that entry's number. `slot` is absent then. */
  readonly sameSlotAs?: number;
  /** The slot of such an entry; or of one for a database of many, which are backed up in one slot of their source. */
  readonly due?: string;
  /** What the job itself says: `success`, `incomplete`, `failure`, … */
  readonly result?: string;
  readonly exitStatus?: number;
  readonly startedAt?: string;
  readonly why?: string;
  readonly report?: ReportProof;
}

export interface ScheduledJob {
  readonly job: string;
  /** As in the entries of its runs. */
  readonly source?: string;
  readonly expression: string;
  readonly timeZone: string;
}

/** From its time on, these jobs are due at these times, and no others. */
interface ScheduleDraft {
  readonly kind: 'schedule';
  readonly schedules: readonly ScheduledJob[];
}

/** The daemon has begun to watch the schedule; every slot before has its entry. */
interface StartedDraft {
  readonly kind: 'daemon started';
  readonly version: string;
}

export interface RemovedDraft {
  readonly kind: 'reports removed';
  /** As their entries name them. */
  readonly files: readonly string[];
  readonly why: string;
}

interface ClockDraft {
  readonly kind: 'clock set back';
  /** The time of the entry before. */
  readonly from: string;
}

/** A process ended in the middle of an append; what it was about to write was there, and the next writer has written the rest. */
interface CompletedDraft {
  readonly kind: 'append completed';
  /** Bytes that had been written. */
  readonly found: number;
  readonly bytes: number;
}

/** Something in the ledger that no interrupted append explains. A verification fails here. */
interface AnomalyDraft {
  readonly kind: 'anomaly';
  readonly what: string;
  /** Of what was found. */
  readonly sha256: string;
  readonly bytes: number;
}

export type Draft = JobDraft | ScheduleDraft | StartedDraft | RemovedDraft | ClockDraft | CompletedDraft | AnomalyDraft;

/** One entry as its line says it. */
export type LedgerEntry = Draft & {
  /** Counted from 1; also the number of its line. */
  readonly number: number;
  /** SHA-256 of the line before, line feed included; 64 zeros in the first. */
  readonly previous: string;
  readonly time: string;
  /** Fingerprint of the key that signed it. */
  readonly key?: string;
};

/** The times that a cron expression has in a time zone, later than `after` and not later than `until`, in order. */
export type SlotsBetween = (schedule: ScheduledJob, after: Date, until: Date) => Iterable<Date>;

/** What a run or a slot belongs to. */
export interface JobOfSource {
  readonly job: string;
  readonly source?: string | undefined;
}

/** For messages and comparisons: a job of a source. */
export function jobName({ job, source }: JobOfSource): string {
  return source === undefined ? job : `${job} of ${source}`;
}
