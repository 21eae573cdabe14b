import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { onDisk } from '../storage/disk-error.ts';
import type { PublicKey } from './evidence-key.ts';
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
  const found = await readFrom(join(folder, LEDGER), from);
  const bytes = pending && pending.offset >= from ? found.subarray(0, pending.offset - from) : found;
  const lines = splitLines(bytes, mark?.number ?? 1);
  const before = mark && lines[0];
  const after = mark ? lines.slice(1) : lines;
  const breaks = [
    ...(mark && before?.sha256 !== mark.sha256
      ? [`entry ${mark.number} is not what it was at the last look, or the ledger was cut off before its end`]
      : []),
    ...checkChain(after, before, []).breaks.map(({ line, what }) => `line ${line}: ${what}`),
    ...after.flatMap((line) => forgery(line, key)),
  ];
  const last = lines.at(-1);
  return {
    read: lines.length,
    lines: last?.number ?? 0,
    signed: last?.entry?.key !== undefined,
    breaks,
    ...(breaks.length === 0 &&
      last && { mark: { number: last.number, sha256: last.sha256, offset: from + bytes.length - last.bytes.length } }),
  };
}

/** Entries that other keys have signed are for `evidence verify`, which is given all public keys. */
function forgery({ number, bytes, entry }: LedgerLine, key: PublicKey | undefined): string[] {
  if (!key || entry?.key !== key.fingerprint) return [];
  const part = signedPart(bytes);
  return part && key.verifies(part.bytes, part.signature) ? [] : [`line ${number}: its signature is not of what it says`];
}

async function readFrom(path: string, offset: number): Promise<Buffer> {
  return onDisk('read', path, async () => {
    try {
      const handle = await open(path, 'r');
      try {
        const { size } = await handle.stat();
        const bytes = Buffer.alloc(Math.max(0, size - offset));
        let done = 0;
        while (done < bytes.length) {
          const { bytesRead } = await handle.read(bytes, done, bytes.length - done, offset + done);
          if (bytesRead === 0) break;
          done += bytesRead;
        }
        return bytes.subarray(0, done);
      } finally {
        await handle.close();
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    }
  });
}
