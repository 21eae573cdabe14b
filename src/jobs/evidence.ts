import { readFile } from 'node:fs/promises';
import { isAbsolute, relative } from 'node:path';
import { toBackupError, type BackupError } from '../errors.ts';
import type { Log } from '../log.ts';
import { errorReport } from '../report/backup-report.ts';
import type { Ledger, LedgerHead } from '../report/ledger.ts';
import {
  jobName,
  type Draft,
  type JobDraft,
  type JobOfSource,
  type LedgerEntry,
  type ReportProof,
  type ScheduledJob,
  type SlotsBetween,
} from '../report/ledger-entry.ts';
import { storeHead, thinHeads } from '../report/ledger-heads.ts';
import { sha256Of } from '../report/ledger-line.ts';
import { absentSlots, EnteredSlots, missedEntries, schedulePeriods } from '../report/ledger-slots.ts';
import { LedgerWatch } from '../report/ledger-watch.ts';
import { onDisk } from '../storage/disk-error.ts';
import type { Storage } from '../storage/storage.ts';

/** Writing the head takes some milliseconds; a target that does not answer holds no run up for long. */
const HEAD_TIMEOUT_MS = 60_000;
/** When the daemon is being stopped. */
const HEAD_TIMEOUT_STOPPING_MS = 3_000;

const DOWN = 'no entry was made at its time: the daemon was down, or ended before the run did, or could not write here';

export interface EvidenceParts {
  readonly ledger: Ledger;
  /** Places of reports that are not on a disk. */
  readonly reports: readonly Storage[];
  readonly slotsBetween: SlotsBetween;
  /** Replaces every secret in a text. */
  readonly redact: (text: string) => string;
}

/** What a run is entered with. */
export interface RunFacts extends JobOfSource {
  readonly slot: Date | undefined;
  /** Of a run that is a part of another: the slot of that. */
  readonly due?: Date;
  readonly state: JobDraft['state'];
  readonly result?: string;
  readonly exitStatus?: number;
  readonly startedAt?: Date;
  readonly why?: string;
  /** Address of its report. */
  readonly report?: string;
}

/** What the ledger said when the daemon began. */
export interface Beginning {
  /** Slots after this time are the daemon's. */
  readonly time: Date;
  /** All entries from before. */
  readonly entries: readonly LedgerEntry[];
  /** What was entered as missed now. */
  readonly missed: readonly JobDraft[];
}

/**
 * Enters in the ledger what ran and what did not. One for a process: it knows which slots are being run, so that none of them
 * passes for missed.
 */
export class Evidence {
  readonly ledger: Ledger;
  /** Looks at it for the health checks of all sources. */
  readonly watch: LedgerWatch;
  readonly #parts: EvidenceParts;
  /** Slots of runs that go on, as `<job> of <source> <time>`. */
  readonly #open = new Set<string>();
  /** The schedule that this process watches, each with the time up to which every slot has its entry or is open. */
  readonly #watched = new Map<string, { readonly schedule: ScheduledJob; settled: Date }>();
  #toBegin: ((schedules?: readonly ScheduledJob[]) => Promise<unknown>) | undefined;

  constructor(parts: EvidenceParts) {
    this.ledger = parts.ledger;
    this.watch = new LedgerWatch(parts.ledger);
    this.#parts = parts;
  }

  /**
   * To be called by the daemon before the first slot: enters what was missed since the last time, and the schedule if it changed.
   * When it fails, it is tried again before the next entry. Returns what it found.
   */
  async begin(schedules: readonly ScheduledJob[], version: string): Promise<Beginning> {
    this.#toBegin = (newer = schedules) => this.#begin(newer, version);
    const found = await this.#begin(schedules, version);
    this.#toBegin = undefined;
    return found;
  }

  /** The schedule is another one from now on. Returns since when: slots after that are the daemon's. */
  async reschedule(schedules: readonly ScheduledJob[]): Promise<Date> {
    const toBegin = this.#toBegin;
    if (toBegin) this.#toBegin = () => toBegin(schedules);
    await this.#beginIfNeeded();
    let since: Date | undefined;
    await this.ledger.append((_recent, time) => {
      since = time;
      const known = new Map(this.#watched);
      const before = [...known.values()].map(({ schedule }) => schedule);
      if (JSON.stringify(before) === JSON.stringify(schedules)) return [];
      this.#watched.clear();
      for (const schedule of schedules) {
        const name = jobName(schedule);
        this.#watched.set(name, known.get(name) ?? { schedule, settled: time });
      }
      return [{ kind: 'schedule', schedules }];
    });
    return since!;
  }

  async #beginIfNeeded(): Promise<void> {
    await this.#toBegin?.();
    this.#toBegin = undefined;
  }

  async #begin(schedules: readonly ScheduledJob[], version: string): Promise<Beginning> {
    let found: Beginning | undefined;
    await this.ledger.append(
      (entries, time) => {
        const missed = this.#missedBefore(entries, time);
        found = { time, entries, missed };
        for (const schedule of schedules) this.#watched.set(jobName(schedule), { schedule, settled: time });
        const last = entries.findLast(({ kind }) => kind === 'schedule');
        const changed = last?.kind !== 'schedule' || JSON.stringify(last.schedules) !== JSON.stringify(schedules);
        return [...missed, { kind: 'daemon started', version }, ...(changed ? [{ kind: 'schedule', schedules } as const] : [])];
      },
      { whole: true },
    );
    return found!;
  }

  /** Says that a slot is being run. */
  opens(job: JobOfSource, slot: Date | undefined): void {
    if (slot) this.#open.add(keyOf(job, slot));
  }

  /** Enters a run that has ended, or a slot that has none, and slots before it that were passed over. */
  async enter(facts: RunFacts): Promise<LedgerHead | undefined> {
    const { slot } = facts;
    // Until it is entered, so that another entry in between does not take it for missed.
    this.opens(facts, slot);
    try {
      await this.#beginIfNeeded();
      const { job, state, source, report: location, startedAt, due, slot: _, ...rest } = facts;
      let { why } = facts;
      let unread: BackupError | undefined;
      let report: ReportProof | undefined;
      try {
        report = location === undefined ? undefined : await this.#proofOf(location);
      } catch (error) {
        // The run has its entry all the same; that nothing vouches for the report is a failure.
        unread = toBackupError(error);
        why = [why, `its report cannot be read: ${unread.message}`].filter((text) => text !== undefined).join('; ');
      }
      const draft: JobDraft = {
        ...{ kind: 'job', job, state },
        ...(source !== undefined && { source }),
        ...(due && { due: due.toISOString() }),
        ...rest,
        ...(startedAt && { startedAt: startedAt.toISOString() }),
        ...(why === undefined ? {} : { why: this.#parts.redact(why) }),
        ...(report && { report }),
      };
      const head = await this.ledger.append((recent) => (slot ? this.#withSlot(draft, slot, recent) : [draft]));
      if (unread) throw unread;
      return head;
    } finally {
      if (slot) this.#open.delete(keyOf(facts, slot));
    }
  }

  /** Stores the head on every one of `targets`. One that does not take it is in the log: the next head vouches for this one, too. */
  async storeHead(
    head: LedgerHead,
    targets: readonly Storage[],
    { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
  ): Promise<string[]> {
    const timeout = AbortSignal.timeout(signal.aborted ? HEAD_TIMEOUT_STOPPING_MS : HEAD_TIMEOUT_MS);
    const failures = await storeHead(head, targets, timeout);
    for (const { target, error } of failures) {
      log.error({ target, entry: head.number, ...errorReport(error) }, "the ledger's head could not be stored on a target");
    }
    return failures.map(({ target, error }) => `the ledger's head is not stored on ${target}: ${error.message}`);
  }

  /** Removes heads that newer ones make superfluous. A target that refuses (Object Lock) keeps them. */
  async thinHeads(
    targets: readonly Storage[],
    { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
  ): Promise<void> {
    for (const target of targets) {
      try {
        const removed = await thinHeads(target, signal);
        if (removed > 0)
          log.info({ target: target.name, removed }, 'older heads of the ledger were removed: newer ones vouch for them');
      } catch (error) {
        log.warn({ target: target.name, ...errorReport(toBackupError(error)) }, 'older heads of the ledger could not be removed');
      }
    }
  }

  #withSlot(draft: JobDraft, slot: Date, recent: readonly LedgerEntry[]): Draft[] {
    const entered = new EnteredSlots(recent);
    const before = this.#passedOver(draft, slot, entered);
    const first = entered.entryOf(draft, slot);
    if (first === undefined) return [...before, { ...draft, slot: slot.toISOString() }];
    // It came twice: the clock was set back, or another daemon watches the same schedule. What did not run says nothing new.
    if (draft.state === 'missed' || draft.state === 'skipped') return before;
    return [...before, { ...draft, due: slot.toISOString(), sameSlotAs: first }];
  }

  /** Slots of a job before this one that nothing was told of, such as those of the moment in which the daemon started. */
  #passedOver(job: JobOfSource, slot: Date, entered: EnteredSlots): JobDraft[] {
    const watched = this.#watched.get(jobName(job));
    if (!watched || slot <= watched.settled) return [];
    const period = { schedule: watched.schedule, after: watched.settled, until: new Date(slot.getTime() - 1) };
    const slots = [...absentSlots(period, entered, this.#parts.slotsBetween)].filter((each) => !this.#isOpen(job, each));
    watched.settled = slot;
    return missedEntries(job, slots, DOWN);
  }

  #missedBefore(entries: readonly LedgerEntry[], time: Date): JobDraft[] {
    const start = entries.findLast(({ kind }) => kind === 'daemon started');
    if (!start) return [];
    const since = new Date(start.time);
    const entered = new EnteredSlots(entries);
    return schedulePeriods(entries, time)
      .filter(({ until }) => until > since)
      .flatMap(({ schedule, after, until }) => {
        const period = { schedule, after: after > since ? after : since, until };
        return missedEntries(schedule, [...absentSlots(period, entered, this.#parts.slotsBetween)], DOWN);
      });
  }

  #isOpen(job: JobOfSource, slot: Date): boolean {
    return this.#open.has(keyOf(job, slot));
  }

  async #proofOf(location: string): Promise<ReportProof> {
    if (isAbsolute(location)) {
      const bytes = await onDisk('read', location, () => readFile(location));
      return { file: relative(this.ledger.folder, location), sha256: sha256Of(bytes) };
    }
    for (const storage of this.#parts.reports) {
      const base = storage.location('x').slice(0, -1);
      if (!location.startsWith(base)) continue;
      const parts: Buffer[] = [];
      for await (const part of storage.get(location.slice(base.length))) parts.push(Buffer.from(part));
      return { file: location, sha256: sha256Of(Buffer.concat(parts)) };
    }
    throw new Error(`no place of reports has ${location}`);
  }
}

function keyOf(job: JobOfSource, slot: Date): string {
  return `${jobName(job)} ${slot.getTime()}`;
}
