import { open, type FileHandle } from 'node:fs/promises';
import { onDisk } from '../storage/disk-error.ts';
import type { LedgerEntry } from './ledger-entry.ts';
import { splitLines, type LedgerLine } from './ledger-line.ts';

/** Read and checked at a time: a ledger of years and many sources is larger than memory should be. */
const BLOCK_BYTES = 1024 * 1024;
const LF = 0x0a;

/** A file from `offset` to `end`, in pieces that end where a line does; the last one ends where the file does. */
export async function* wholeLines(file: FileHandle, path: string, offset: number, end: number): AsyncGenerator<Buffer> {
  const { size } = await onDisk('look at', path, () => file.stat());
  let rest = Buffer.alloc(0);
  for (let at = offset; at < Math.min(size, end);) {
    const block = Buffer.alloc(Math.min(BLOCK_BYTES, size - at, end - at));
    const { bytesRead } = await onDisk('read', path, () => file.read(block, 0, block.length, at));
    if (bytesRead === 0) break;
    at += bytesRead;
    const bytes = Buffer.concat([rest, block.subarray(0, bytesRead)]);
    const whole = bytes.lastIndexOf(LF) + 1;
    if (whole > 0) yield bytes.subarray(0, whole);
    rest = bytes.subarray(whole);
  }
  if (rest.length > 0) yield rest;
}

/** A file that is open for reading; `undefined` when it is not there. */
export async function openIfThere(path: string): Promise<FileHandle | undefined> {
  return onDisk('open', path, async () => {
    try {
      return await open(path, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  });
}

/** What is left in memory of a whole ledger. */
export interface ChosenEntries {
  readonly entries: readonly LedgerEntry[];
  /** Its last line, and the newest entry, chosen or not. */
  readonly last: LedgerLine | undefined;
  readonly newest: LedgerEntry | undefined;
}

/** The entries of all lines of a file that are chosen. No more of it is in memory at a time than a block. */
export async function chooseEntries(
  file: FileHandle,
  path: string,
  isChosen: (entry: LedgerEntry) => boolean,
): Promise<ChosenEntries> {
  const entries: LedgerEntry[] = [];
  let last: LedgerLine | undefined;
  let newest: LedgerEntry | undefined;
  for await (const bytes of wholeLines(file, path, 0, Infinity)) {
    for (const line of splitLines(bytes, (last?.number ?? 0) + 1)) {
      last = line;
      newest = line.entry ?? newest;
      if (line.entry && isChosen(line.entry)) entries.push(line.entry);
    }
  }
  return { entries, last, newest };
}

/**
 * Whether an entry is of a run that was a part of another, such as one database of many, whose entry has the slot. Of fifty databases
 * that are looked at every hour there are hundreds of thousands a year.
 */
export function isPart(entry: LedgerEntry): boolean {
  return entry.kind === 'job' && entry.due !== undefined && entry.slot === undefined && entry.sameSlotAs === undefined;
}
