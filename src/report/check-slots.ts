import type { Break } from './ledger-chain.ts';
import { jobName, type LedgerEntry, type SlotsBetween } from './ledger-entry.ts';
import { EnteredSlots, schedulePeriods } from './ledger-slots.ts';

export interface SlotsOptions {
  readonly from?: Date;
  /** Slots up to here must have their entry. */
  readonly end: Date;
  /** Whether `end` lies back: then no run can still be going on. */
  readonly closed: boolean;
  readonly slotsBetween: SlotsBetween;
}

export interface SlotsVerdict {
  readonly breaks: Break[];
  readonly notes: string[];
  /** Slots that must have an entry, and have. */
  readonly checked: number;
}

/** An entry is made a moment after its slot. */
const GRACE_MS = 60_000;
/** How many absent slots a break lists. */
const LISTED = 3;

/** Every slot of the schedules that the ledger names has exactly one entry, and there is none for a time that is no slot. */
export function checkSlots(entries: readonly LedgerEntry[], options: SlotsOptions): SlotsVerdict {
  const { slotsBetween, closed } = options;
  const entered = new EnteredSlots(entries);
  const breaks: Break[] = entered.twice.map(({ number, first, name, slot }) => ({
    line: number,
    what: `the slot ${slot} of ${name} has its entry already, number ${first}`,
    means: 'one of the two was put in',
  }));
  const notes: string[] = [];
  let checked = 0;
  const end = closed ? options.end : new Date(options.end.getTime() - GRACE_MS);
  const absent = new Map<string, Date[]>();
  const known = new Set<string>();
  for (const period of schedulePeriods(entries, options.end)) {
    const name = jobName(period.schedule);
    for (const slot of slotsBetween(period.schedule, period.after, period.until)) {
      const has = entered.entryOf(period.schedule, slot) !== undefined;
      known.add(`${name} ${slot.getTime()}`);
      if (slot > end || (options.from && slot < options.from)) continue;
      if (has) checked += 1;
      else if (absent.get(name)?.push(slot) === undefined) absent.set(name, [slot]);
    }
  }
  for (const [name, slots] of absent) {
    if (!closed && slots.length === 1 && maybeRunning(entries, name, slots[0]!)) {
      notes.push(`the slot ${slots[0]!.toISOString()} of ${name} has no entry yet: its run goes on, or the daemon is down`);
    } else breaks.push(absence(entries, name, slots));
  }
  // With a clock that was set back, times do not say which schedule held.
  const ordered = entries.every(({ kind }) => kind !== 'clock set back');
  for (const entry of ordered ? entries : []) {
    if (entry.kind !== 'job' || entry.slot === undefined || entry.through !== undefined) continue;
    if (new Date(entry.slot) > options.end || known.has(`${jobName(entry)} ${Date.parse(entry.slot)}`)) continue;
    if (options.from && new Date(entry.time) < options.from) continue;
    breaks.push({
      line: entry.number,
      what: `${entry.slot} is no slot of ${jobName(entry)} by the schedule that held then`,
      means: 'the entry, or the one of the schedule, was put in',
    });
  }
  return { breaks, notes, checked };
}

/** A run that goes on has no entry; slots after it can only have been skipped. */
function maybeRunning(entries: readonly LedgerEntry[], name: string, slot: Date): boolean {
  return !entries.some(
    (entry) =>
      entry.kind === 'job' &&
      jobName(entry) === name &&
      entry.slot !== undefined &&
      new Date(entry.slot) > slot &&
      entry.state !== 'skipped',
  );
}

function absence(entries: readonly LedgerEntry[], name: string, slots: readonly Date[]): Break {
  const before = entries.findLast(({ time }) => new Date(time) < slots[0]!);
  const later = entries.some(({ time }) => new Date(time) > slots.at(-1)!);
  const shown = slots.slice(0, LISTED).map((slot) => slot.toISOString());
  const more = slots.length > LISTED ? ` and ${slots.length - LISTED} more` : '';
  return {
    line: before?.number ?? 0,
    what: `${slots.length} slot(s) of ${name} have no entry after it: ${shown.join(', ')}${more}`,
    means: later
      ? 'entries were left out, or could not be written and the daemon was not started again since'
      : 'the end of the ledger was cut off, or the daemon is down since (when it starts, it enters them as missed)',
  };
}
