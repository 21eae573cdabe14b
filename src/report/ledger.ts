import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { BackupError } from '../errors.ts';
import { createFolders, READABLE } from '../storage/disk-folder.ts';
import { lockFile, type LockFile } from '../storage/file-lock.ts';
import type { PublicKey, SigningKey } from './evidence-key.ts';
import { isPart, type ChosenEntries } from './ledger-blocks.ts';
import type { Draft, LedgerEntry } from './ledger-entry.ts';
import { LEDGER, LOCK, OpenLedger } from './ledger-file.ts';
import { encodeLine, NO_LINE, splitLines } from './ledger-line.ts';

/** How much of its end an append looks at: some thousand entries. */
const RECENT_BYTES = 1024 * 1024;
/** An append takes some milliseconds. Who holds the lock for longer is not at work any more. */
const LOCK_WAIT_MS = 20_000;
/** A clock that is being adjusted goes back by less. */
const CLOCK_TOLERANCE_MS = 1000;

export interface LedgerOptions {
  /** The folder of the reports, and the folder above it that must exist (or itself). */
  readonly folder: string;
  readonly root: string;
  /** Without one, entries are chained but not signed. */
  readonly key?: SigningKey;
  readonly clock: Clock;
  /** By default flock(2). Where nobody else can be, such as in a simulation of years, something cheaper will do. */
  readonly lock?: LockFile;
}

/** The last line of a ledger, as written. */
export interface LedgerHead {
  readonly number: number;
  readonly bytes: Buffer;
}

/** The evidence of what ran and what did not: `ledger.jsonl`, a chain of signed lines that is only ever appended to. */
export interface Ledger {
  readonly folder: string;
  readonly path: string;
  /** Fingerprint of the key that signs; undefined when entries are not signed. */
  readonly key: string | undefined;
  /** The public half of that key. */
  readonly publicKey: PublicKey | undefined;
  /**
   * Appends what `decide` makes of the newest entries (with `whole`: of all but parts of runs) and of the time that the new ones will have, all of it
   * durably or nothing. Nobody else appends in between, in whatever process. Returns the new last line, if there is one.
   */
  append(
    decide: (recent: readonly LedgerEntry[], time: Date) => readonly Draft[],
    options?: { readonly whole?: boolean },
  ): Promise<LedgerHead | undefined>;
}

export function createLedger(options: LedgerOptions): Ledger {
  const { folder, root, key, clock, lock: takeLock = lockFile } = options;
  const path = join(folder, LEDGER);
  // In the order of the calls, within this process.
  let queue: Promise<unknown> = Promise.resolve();

  const ledger: Ledger = {
    folder,
    path,
    key: key?.fingerprint,
    publicKey: key?.public,
    append(decide, { whole = false } = {}) {
      const result = queue.then(() => appendLocked(decide, whole));
      queue = result.catch(() => undefined);
      return result;
    },
  };
  return ledger;

  async function appendLocked(decide: Parameters<Ledger['append']>[0], whole: boolean): Promise<LedgerHead | undefined> {
    await createFolders(root, folder, READABLE.folder);
    const lock = await takeLock(join(folder, LOCK), { waitMs: LOCK_WAIT_MS });
    if (!lock) {
      throw new BackupError('LOCKED', `another process has held ${join(folder, LOCK)} for ${LOCK_WAIT_MS / 1000} s`, {
        hint: 'Look for a process that is stuck on the file system of this folder (`fuser` names it).',
      });
    }
    try {
      const file = await OpenLedger.open(folder);
      try {
        return await appendTo(file, decide, whole);
      } finally {
        await file.close();
      }
    } finally {
      await lock.release();
    }
  }

  async function appendTo(
    file: OpenLedger,
    decide: Parameters<Ledger['append']>[0],
    whole: boolean,
  ): Promise<LedgerHead | undefined> {
    const found = await file.recover();
    const { entries, last, newest } = whole ? await file.choose((entry) => !isPart(entry)) : await readRecent(file);
    refuseWithoutKey(newest);
    const time = clock.now();
    const before = newest?.time;
    const drafts: Draft[] = [...found, ...decide(entries, time)];
    if (drafts.length === 0) return undefined;
    if (before !== undefined && time.getTime() < Date.parse(before) - CLOCK_TOLERANCE_MS)
      drafts.unshift({ kind: 'clock set back', from: before });
    const head = { number: last?.number ?? 0, sha256: last?.sha256 ?? NO_LINE };
    const bytes: Buffer[] = [];
    for (const draft of drafts) {
      const line = encodeLine(draft, { number: head.number + 1, previous: head.sha256, time }, key);
      bytes.push(line);
      head.number += 1;
      head.sha256 = splitLines(line)[0]!.sha256;
    }
    await file.append(Buffer.concat(bytes));
    return { number: head.number, bytes: bytes.at(-1)! };
  }

  /** The newest lines, numbered as they are in the file. */
  async function readRecent(file: OpenLedger): Promise<ChosenEntries> {
    const { bytes, all } = await file.tail(RECENT_BYTES);
    const lines = splitLines(all ? bytes : bytes.subarray(bytes.indexOf(0x0a) + 1));
    const entries = lines.flatMap(({ entry }) => entry ?? []);
    const last = lines.at(-1);
    if (all) return { entries, last, newest: entries.at(-1) };
    // Something else stands where the last entry should be: only counting tells its number.
    if (!last?.entry) return await file.choose((entry) => !isPart(entry));
    return { entries, last: { ...last, number: last.entry.number }, newest: last.entry };
  }

  /** An unsigned entry among signed ones would be a forgery to whoever verifies. */
  function refuseWithoutKey(last: LedgerEntry | undefined): void {
    if (key || last?.key === undefined) return;
    throw new BackupError('CONFIG_INVALID', `${path} is signed (key ${last.key}), but this process has no key to sign with`, {
      hint:
        'What the run made is kept, only its entry is lacking. Set EVIDENCE_KEY_FILE to the key for every process that makes backups. If the key is lost: ' +
        '`backup-manager evidence keygen NEW.pem >new.pub`, set EVIDENCE_KEY_FILE to NEW.pem, give new.pub to whoever verifies; the ledger goes on ' +
        '(docs/evidence.md, "When the key is lost").',
    });
  }
}

/** Notes, before a clean-up removes them, which reports go and by which rule: a verification then accepts that they are gone. */
export async function recordRemovedReports(ledger: Ledger, files: readonly string[], why: string): Promise<void> {
  if (files.length > 0) await ledger.append(() => [{ kind: 'reports removed', files, why }]);
}
