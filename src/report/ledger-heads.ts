import { bytesContent } from '../storage/content.ts';
import type { Storage } from '../storage/storage.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import type { LedgerHead } from './ledger.ts';
import { sha256Of, type LedgerLine } from './ledger-line.ts';

/** Where heads are on every target. */
export const HEADS = 'ledger/';
const NAME = /^ledger\/(\d{10})\.json$/;
/** Heads that are read at a time; each is some hundred bytes. */
const AT_ONCE = 8;

/**
 * Stores the last line of the ledger as `ledger/<its number, ten digits>.json` on every target: whoever rewrites the ledger afterwards
 * contradicts it. One object for each head, so that none replaces another. Returns the targets that did not take it.
 */
export async function storeHead(
  head: LedgerHead,
  targets: readonly Storage[],
  signal: AbortSignal,
): Promise<{ readonly target: string; readonly error: BackupError }[]> {
  const key = `${HEADS}${String(head.number).padStart(10, '0')}.json`;
  const results = await Promise.all(
    targets.map(async (target) => {
      try {
        // Once more: what sweeps leftovers of killed runs may have taken the temporary file.
        await target.put(key, bytesContent(head.bytes), signal).catch(() => target.put(key, bytesContent(head.bytes), signal));
        return [];
      } catch (error) {
        return [{ target: target.name, error: toBackupError(error) }];
      }
    }),
  );
  return results.flat();
}

/** The newest heads that stay, each of them. */
const NEWEST_KEPT = 1000;
/** Of those before, the last one of this many entries stays. */
const STRIDE = 500;

/**
 * The heads that may go. Each head vouches for all entries before it, so that fewer of them prove as much of the past; what many prove
 * better is since when the ledger reads as it does, and of that a head for every some hundred entries stays for good.
 */
export function headsToThin(keys: readonly string[]): string[] {
  const heads = keys.flatMap((key) => {
    const number = NAME.exec(key)?.[1];
    return number === undefined ? [] : [{ key, block: Math.floor(Number(number) / STRIDE) }];
  });
  heads.sort((a, b) => (a.key < b.key ? -1 : 1));
  return heads
    .slice(0, -NEWEST_KEPT)
    .filter(({ block }, at) => heads[at + 1]?.block === block)
    .map(({ key }) => key);
}

/** Removes what {@link headsToThin} names from a target. Returns how many. */
export async function thinHeads(target: Storage, signal: AbortSignal): Promise<number> {
  const keys: string[] = [];
  for await (const { key } of target.list(HEADS, signal)) keys.push(key);
  const old = headsToThin(keys);
  for (const key of old) await target.remove(key, signal);
  return old.length;
}

export interface HeadComparison {
  readonly target: string;
  /** How many of its heads were compared. */
  readonly heads: number;
  /** The first entry that the target has otherwise, or that the ledger lacks. */
  readonly contradiction?: { readonly number: number; readonly location: string; readonly lacking: boolean };
  /** Why it could not be compared. */
  readonly error?: BackupError;
}

/** Compares the heads on a target, from number `from` to `to`, with the ledger's lines (all of them, from the first). */
export async function compareHeads(
  target: Storage,
  lines: readonly LedgerLine[],
  range: { readonly from: number; readonly to: number },
  signal: AbortSignal,
): Promise<HeadComparison> {
  const keys: { key: string; number: number }[] = [];
  try {
    for await (const { key } of target.list(HEADS, signal)) {
      const number = Number(NAME.exec(key)?.[1] ?? 0);
      if (number >= range.from && number <= range.to) keys.push({ key, number });
    }
    for (let at = 0; at < keys.length; at += AT_ONCE) {
      const differing = await Promise.all(
        keys.slice(at, at + AT_ONCE).map(async ({ key, number }) => {
          const parts: Buffer[] = [];
          for await (const part of target.get(key, undefined, signal)) parts.push(Buffer.from(part));
          const line = lines[number - 1];
          return line?.sha256 === sha256Of(Buffer.concat(parts)) ? [] : [{ key, number, lacking: line === undefined }];
        }),
      );
      const [first] = differing.flat();
      if (first) {
        const { number, lacking, key } = first;
        return { target: target.name, heads: at + AT_ONCE, contradiction: { number, location: target.location(key), lacking } };
      }
    }
    return { target: target.name, heads: keys.length };
  } catch (error) {
    signal.throwIfAborted();
    return { target: target.name, heads: 0, error: toBackupError(error) };
  }
}
