import {
  jobName,
  type JobDraft,
  type JobOfSource,
  type LedgerEntry,
  type ScheduledJob,
  type SlotsBetween,
} from './ledger-entry.ts';

/** A job that was due by one schedule from `after` (not included) until `until`. */
export interface SchedulePeriod {
  readonly schedule: ScheduledJob;
  readonly after: Date;
  readonly until: Date;
}

/** Which schedule held when, by the entries; the last one holds until `end`. */
export function schedulePeriods(entries: readonly LedgerEntry[], end: Date): SchedulePeriod[] {
  const changes = entries.flatMap((entry) => (entry.kind === 'schedule' ? [entry] : []));
  return changes.flatMap(({ schedules, time }, index) => {
    const until = changes[index + 1] ? new Date(changes[index + 1]!.time) : end;
    return schedules.map((schedule) => ({ schedule, after: new Date(time), until }));
  });
}

/** The slots of jobs, each of its source, that have an entry. */
export class EnteredSlots {
  readonly #single = new Map<string, number>();
  readonly #ranges: { readonly name: string; readonly from: number; readonly to: number; readonly number: number }[] = [];
  /** Slots with a second entry, which only an entry by somebody else can be. */
  readonly twice: { readonly number: number; readonly first: number; readonly name: string; readonly slot: string }[] = [];

  constructor(entries: readonly LedgerEntry[]) {
    for (const entry of entries) if (entry.kind === 'job' && entry.slot !== undefined) this.#add(entry, entry.slot);
  }

  /** Number of the slot's entry. */
  entryOf(job: JobOfSource, slot: Date): number | undefined {
    const name = jobName(job);
    const time = slot.getTime();
    return (
      this.#single.get(`${time} ${name}`) ??
      this.#ranges.find((range) => range.name === name && range.from <= time && time <= range.to)?.number
    );
  }

  #add(entry: JobDraft & { readonly number: number }, slot: string): void {
    const name = jobName(entry);
    const from = Date.parse(slot);
    const first = this.entryOf(entry, new Date(from));
    if (first !== undefined) this.twice.push({ number: entry.number, first, name, slot });
    else if (entry.through === undefined) this.#single.set(`${from} ${name}`, entry.number);
    else this.#ranges.push({ name, from, to: Date.parse(entry.through), number: entry.number });
  }
}

/** The slots of a period that have no entry, in order. */
export function* absentSlots(period: SchedulePeriod, entered: EnteredSlots, slotsBetween: SlotsBetween): Generator<Date> {
  for (const slot of slotsBetween(period.schedule, period.after, period.until)) {
    if (entered.entryOf(period.schedule, slot) === undefined) yield slot;
  }
}

/** How many missed slots have an entry of their own; of more, one entry has all. */
const MOST_SINGLE = 1000;

/** Entries for slots that nobody ran. */
export function missedEntries({ job, source }: JobOfSource, slots: readonly Date[], why: string): JobDraft[] {
  const base = { kind: 'job', job, state: 'missed', ...(source !== undefined && { source }), why } as const;
  if (slots.length <= MOST_SINGLE) return slots.map((slot) => ({ ...base, slot: slot.toISOString() }));
  return [{ ...base, slot: slots[0]!.toISOString(), through: slots.at(-1)!.toISOString(), slots: slots.length }];
}
