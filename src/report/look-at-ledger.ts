import { join } from 'node:path';
import type { PublicKey } from './evidence-key.ts';
import { openIfThere, wholeLines } from './ledger-blocks.ts';
import { checkChain } from './ledger-chain.ts';
import { LEDGER, readPending } from './ledger-file.ts';
import { signedPart, splitLines, type LedgerLine } from './ledger-line.ts';

/** How far a ledger was read and found whole: its last line then. */
export interface LedgerMark {
  readonly number: number;
  readonly sha256: string;
  /** Where the line begins. */
  readonly offset: number;
}

export interface LedgerLook {
  /** Lines that were read, and the number of the last one. */
  readonly read: number;
  readonly lines: number;
  /** Whether the last one is signed. */
  readonly signed: boolean;
  readonly breaks: readonly string[];
  /** For the next look; absent when something is broken: it must stay so until somebody has looked. */
  readonly mark?: LedgerMark;
}

/**
 * Reads a ledger from `mark` on, or all of it, and checks the chain and the signatures of `key`: cheap enough for every hour. Reports
 * and slots are for `evidence verify`. A ledger that does not exist is empty.
 */
export async function lookAtLedger(
  folder: string,
  mark: LedgerMark | undefined,
  key: PublicKey | undefined,
): Promise<LedgerLook> {
  // In this order: an append that ends in between is seen whole, one that goes on is left out.
  const pending = await readPending(folder);
  const from = mark?.offset ?? 0;
  const end = pending && pending.offset >= from ? pending.offset : Infinity;
  const breaks: string[] = [];
  let [read, offset] = [0, from];
  let last: LedgerLine | undefined;
  for await (const bytes of linesOf(join(folder, LEDGER), from, end)) {
    const lines = splitLines(bytes, last ? last.number + 1 : (mark?.number ?? 1));
    const isFirst = last === undefined;
    if (mark && isFirst && lines[0]?.sha256 !== mark.sha256) breaks.push(otherMark(mark));
    const after = mark && isFirst ? lines.slice(1) : lines;
    const before = isFirst ? mark && lines[0] : last;
    breaks.push(
      ...checkChain(after, before, []).breaks.map(({ line, what }) => `line ${line}: ${what}`),
      ...after.flatMap((line) => forgery(line, key)),
    );
    read += lines.length;
    offset += bytes.length;
    last = lines.at(-1);
  }
  if (mark && !last) breaks.push(otherMark(mark));
  return {
    read,
    lines: last?.number ?? 0,
    signed: last?.entry?.key !== undefined,
    breaks,
    ...(breaks.length === 0 &&
      last && { mark: { number: last.number, sha256: last.sha256, offset: offset - last.bytes.length } }),
  };
}

function otherMark({ number }: LedgerMark): string {
  return `entry ${number} is not what it was at the last look, or the ledger was cut off before its end`;
}

/** Entries that other keys have signed are for `evidence verify`, which is given all public keys. */
function forgery({ number, bytes, entry }: LedgerLine, key: PublicKey | undefined): string[] {
  if (!key || entry?.key !== key.fingerprint) return [];
  const part = signedPart(bytes);
  return part && key.verifies(part.bytes, part.signature) ? [] : [`line ${number}: its signature is not of what it says`];
}

async function* linesOf(path: string, from: number, end: number): AsyncGenerator<Buffer> {
  const file = await openIfThere(path);
  if (!file) return;
  try {
    yield* wholeLines(file, path, from, end);
  } finally {
    await file.close();
  }
}
