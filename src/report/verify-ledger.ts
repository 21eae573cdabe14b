import type { BackupError } from '../errors.ts';
import { checkChain, headOf, type Break, type SignatureCounts } from './ledger-chain.ts';
import type { PublicKey } from './evidence-key.ts';
import { jobName, type LedgerEntry, type SlotsBetween } from './ledger-entry.ts';
import { readLedger, restOf } from './ledger-file.ts';
import { compareHeads, type HeadComparison } from './ledger-heads.ts';
import { splitLines, type LedgerLine } from './ledger-line.ts';
import { checkReports } from './ledger-reports.ts';
import { checkSlots } from './check-slots.ts';
import type { Storage } from '../storage/storage.ts';

export interface VerifyLedgerOptions {
  /** The folder of the ledger. */
  readonly folder: string;
  /** One is enough for each entry; without any, signatures are not checked. */
  readonly keys: readonly PublicKey[];
  /** Entries before and after are left out. */
  readonly from?: Date;
  readonly to?: Date;
  /** Slots up to now must have their entry. */
  readonly now: Date;
  readonly slotsBetween: SlotsBetween;
  /** Targets whose heads are compared; none: offline. */
  readonly targets: readonly Storage[];
  readonly signal: AbortSignal;
}

export interface LedgerVerdict {
  /** All of them: in the order of the lines, then those of slots; none: nothing was found wrong. */
  readonly breaks: readonly Break[];
  /** What is no break, but what a reader should know. */
  readonly notes: readonly string[];
  readonly entries: number;
  readonly range: { readonly first: number; readonly last: number };
  readonly signatures: SignatureCounts;
  readonly reports: { readonly checked: number; readonly removed: number };
  readonly slots: number;
  readonly head: { readonly number: number; readonly sha256: string };
  readonly targets: readonly (Omit<HeadComparison, 'error'> & { readonly error?: BackupError })[];
}

/** Reads a ledger again and checks it all: chain, signatures, reports, slots, heads. Writes nothing. Throws only what reading throws. */
export async function verifyLedger(options: VerifyLedgerOptions): Promise<LedgerVerdict> {
  const { folder, keys, from, to, now, slotsBetween, signal } = options;
  const notes: string[] = [];
  const lines = await readLines(folder, notes);
  const first = from === undefined ? 0 : firstAt(lines, (time) => time >= from.getTime());
  const last = to === undefined ? lines.length : firstAt(lines, (time) => time > to.getTime());
  const chosen = lines.slice(first, Math.max(first, last));
  if (chosen.length < lines.length)
    notes.push(`${lines.length - chosen.length} of ${lines.length} lines are outside the given time and were not checked`);

  const chain = checkChain(chosen, lines[first - 1], keys);
  const entries = lines.flatMap(({ entry }) => entry ?? []);
  const inRange = chosen.flatMap(({ entry }) => entry ?? []);
  const reports = await checkReports(folder, inRange, entries, signal);
  const slots = checkSlots(entries, {
    ...(from && { from }),
    end: to && to < now ? to : now,
    closed: to !== undefined,
    slotsBetween,
  });
  const range = { first: first + 1, last: first + chosen.length };
  const targets: HeadComparison[] = [];
  for (const target of options.targets)
    targets.push(await compareHeads(target, lines, { from: range.first, to: to ? range.last : Number.MAX_SAFE_INTEGER }, signal));

  if (lines.length === 0)
    chain.breaks.push({ line: 0, what: 'there is no entry', means: 'nothing ran yet, or the ledger was removed' });
  else if (keys.length > 0 && chain.signatures.signed === 0 && chosen.length > 0)
    chain.breaks.push({
      line: range.first,
      what: 'no entry is signed',
      means: 'the key is not in use yet, or the ledger was written anew',
    });

  notes.push(
    ...signatureNotes(chain.signatures, chosen),
    ...inRange.flatMap((entry) => noteOf(entry, entries)),
    ...reports.notes,
    ...slots.notes,
  );
  notes.push(...targetNotes(targets));
  // What is lacking comes last: it mostly follows from what was done to the lines.
  const inLines = [...chain.breaks, ...reports.breaks, ...targets.flatMap((each) => headBreak(each, lines))];
  const breaks = [...inLines.sort((a, b) => a.line - b.line), ...slots.breaks];
  return {
    breaks,
    notes,
    entries: chosen.length,
    range,
    signatures: chain.signatures,
    reports: { checked: reports.checked, removed: reports.removed },
    slots: slots.checked,
    head: headOf(lines),
    targets,
  };
}

/** The ledger's lines, with what an interrupted append was about to write. */
async function readLines(folder: string, notes: string[]): Promise<LedgerLine[]> {
  const { bytes, pending } = await readLedger(folder);
  if (!pending) return splitLines(bytes);
  const rest = restOf(pending.offset > bytes.length ? undefined : bytes.subarray(pending.offset), pending);
  if (!rest) {
    notes.push('ledger.pending holds an append that does not fit the end of the ledger');
    return splitLines(bytes);
  }
  if (rest.length > 0)
    notes.push(
      'an append goes on or was interrupted; what it lacks is in ledger.pending, was checked with the rest, and the next writer writes it',
    );
  return splitLines(Buffer.concat([bytes, rest]));
}

function firstAt(lines: readonly LedgerLine[], matches: (time: number) => boolean): number {
  const index = lines.findIndex(({ entry }) => entry !== undefined && matches(Date.parse(entry.time)));
  return index < 0 ? lines.length : index;
}

function signatureNotes({ signed, unsigned, unchecked }: SignatureCounts, lines: readonly LedgerLine[]): string[] {
  const notes: string[] = [];
  if (unsigned > 0 && signed + unchecked === 0 && lines.length > 0)
    notes.push('NOT SIGNED: the entries are chained only; whoever can write to the ledger could have written all of it anew');
  else if (unsigned > 0) notes.push(`${unsigned} entries are from before the key; the first signed one vouches for them`);
  if (unchecked > 0) notes.push('SIGNATURES NOT CHECKED: no public key was given (--public-key)');
  return notes;
}

function noteOf(entry: LedgerEntry, all: readonly LedgerEntry[]): string[] {
  if (entry.kind === 'clock set back')
    return [`entry ${entry.number}: the clock was set back from ${entry.from} to ${entry.time}`];
  if (entry.kind === 'append completed') {
    return [
      `entry ${entry.number}: a process had ended in the middle of an append (${entry.found} of ${entry.bytes} bytes); the rest was written`,
    ];
  }
  if (entry.kind !== 'job' || entry.sameSlotAs === undefined) return [];
  const first = all.find(({ number }) => number === entry.sameSlotAs);
  const did = first?.kind === 'job' && first.state === 'missed' ? 'made up for the missed' : 'ran once more for the';
  return [`entry ${entry.number}: ${jobName(entry)} ${did} slot ${entry.due ?? ''} of entry ${entry.sameSlotAs}`];
}

function targetNotes(targets: readonly HeadComparison[]): string[] {
  return targets.flatMap(({ target, heads, error, contradiction }) => {
    if (error) return [`NOT COMPARED with ${target}: ${error.message}`];
    return heads === 0 && !contradiction ? [`${target} has no head of this ledger to compare with`] : [];
  });
}

function headBreak({ target, contradiction }: HeadComparison, lines: readonly LedgerLine[]): Break[] {
  if (!contradiction) return [];
  const { number, location, lacking } = contradiction;
  return [
    {
      line: Math.min(number, lines.length),
      what: lacking
        ? `${target} has entry ${number} (${location}), but the ledger ends with entry ${lines.length}`
        : `${target} has another entry ${number} (${location})`,
      means: lacking
        ? 'the end of the ledger was cut off after that head was stored'
        : 'this entry, or one before it, was written anew after that head was stored, or the head was changed',
    },
  ];
}
