import { open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { onDisk } from '../storage/disk-error.ts';
import { READABLE, syncFolder } from '../storage/disk-folder.ts';
import { chooseEntries, type ChosenEntries } from './ledger-blocks.ts';
import type { Draft, LedgerEntry } from './ledger-entry.ts';
import { sha256Of } from './ledger-line.ts';

/** Names beside the reports. */
export const LEDGER = 'ledger.jsonl';
export const LOCK = 'ledger.lock';
/**
 * What is being appended, and where: durable before the first byte of it gets to the ledger. So a line that a crash has cut off
 * can be told from one that somebody has cut off, and the next writer writes the rest.
 */
const PENDING = 'ledger.pending';

export interface PendingAppend {
  readonly offset: number;
  readonly bytes: Buffer;
}

/** The bytes of a ledger, and an append that is going on or was interrupted. A ledger that does not exist is empty. */
export async function readLedger(folder: string): Promise<{ readonly bytes: Buffer; readonly pending?: PendingAppend }> {
  // In this order: an append that ends in between is seen whole.
  const pending = await readPending(folder);
  const bytes = await readIfThere(join(folder, LEDGER));
  return { bytes: bytes ?? Buffer.alloc(0), ...(pending && { pending }) };
}

/**
 * What an interrupted append has left to be written, given what the ledger holds from its offset on (undefined: the ledger ends
 * before). Undefined when it does not explain how the ledger ends.
 */
export function restOf(tail: Buffer | undefined, { bytes }: PendingAppend): Buffer | undefined {
  if (!tail) return undefined;
  // More than it: appended to by somebody who did not know of it. Nothing is lacking.
  if (tail.length >= bytes.length) return tail.subarray(0, bytes.length).equals(bytes) ? Buffer.alloc(0) : undefined;
  return bytes.subarray(0, tail.length).equals(tail) ? bytes.subarray(tail.length) : undefined;
}

/** A ledger that is open for appending, by the holder of its lock. */
export class OpenLedger {
  readonly #folder: string;
  readonly #path: string;
  readonly #handle: FileHandle;
  #size: number;

  private constructor(folder: string, path: string, handle: FileHandle, size: number) {
    this.#folder = folder;
    this.#path = path;
    this.#handle = handle;
    this.#size = size;
  }

  static async open(folder: string): Promise<OpenLedger> {
    const path = join(folder, LEDGER);
    const handle = await onDisk('open', path, () => open(path, 'a+', READABLE.file));
    try {
      const { size } = await onDisk('look at', path, () => handle.stat());
      if (size === 0) await syncFolder(folder);
      return new OpenLedger(folder, path, handle, size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  /** The entries of all of it that are chosen. */
  choose(isChosen: (entry: LedgerEntry) => boolean): Promise<ChosenEntries> {
    return chooseEntries(this.#handle, this.#path, isChosen);
  }

  /** Its last bytes, at most `most`, and whether these are all. */
  async tail(most: number): Promise<{ readonly bytes: Buffer; readonly all: boolean }> {
    const length = Math.min(most, this.#size);
    const bytes = Buffer.alloc(length);
    let done = 0;
    while (done < length) {
      const position = this.#size - length + done;
      const { bytesRead } = await onDisk('read', this.#path, () => this.#handle.read(bytes, done, length - done, position));
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return { bytes: bytes.subarray(0, done), all: length === this.#size };
  }

  /** Completes what another writer could not, ends a line that has no end, and says so. */
  async recover(): Promise<Draft[]> {
    const drafts: Draft[] = [];
    const pending = await readPending(this.#folder);
    if (pending) {
      const since = this.#size - pending.offset;
      const rest = restOf(since < 0 ? undefined : (await this.tail(since)).bytes, pending);
      if (rest && rest.length > 0) {
        await this.#write(rest);
        drafts.push({ kind: 'append completed', found: pending.bytes.length - rest.length, bytes: pending.bytes.length });
      } else if (!rest) {
        drafts.push(anomaly('the ledger does not end as an interrupted append would have left it', pending.bytes));
      }
      await this.#dropPending();
    }
    const { bytes: last } = await this.tail(1);
    if (last.length === 1 && last[0] !== 0x0a) {
      const { bytes } = await this.tail(this.#size);
      const fragment = bytes.subarray(bytes.lastIndexOf(0x0a) + 1);
      await this.#write(Buffer.from('\n'));
      drafts.push(anomaly('the last line had no end, and no interrupted append explains it', fragment));
    }
    return drafts;
  }

  /** Appends all of `bytes` durably, or throws and leaves the ledger as it was. */
  async append(bytes: Buffer): Promise<void> {
    const offset = this.#size;
    const temporary = join(this.#folder, `${PENDING}.new`);
    const pending = join(this.#folder, PENDING);
    try {
      await onDisk('write', temporary, async () => {
        const handle = await open(temporary, 'w', READABLE.file);
        try {
          await handle.writeFile(Buffer.concat([Buffer.from(`${offset}\n`), bytes]));
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(temporary, pending);
      });
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
    await syncFolder(this.#folder);
    try {
      await this.#write(bytes);
    } catch (error) {
      // An append-only file cannot be cut back: then the next writer completes it from what is pending.
      const undone = await this.#handle.truncate(offset).then(
        () => true,
        () => false,
      );
      if (undone) {
        this.#size = offset;
        await this.#dropPending();
      }
      throw error;
    }
    await this.#dropPending();
  }

  async #write(bytes: Buffer): Promise<void> {
    await onDisk('append to', this.#path, async () => {
      for (let done = 0; done < bytes.length;) done += (await this.#handle.write(bytes, done)).bytesWritten;
      await this.#handle.sync();
    });
    this.#size += bytes.length;
  }

  async #dropPending(): Promise<void> {
    const path = join(this.#folder, PENDING);
    await onDisk('remove', path, () => rm(path, { force: true }));
    await syncFolder(this.#folder);
  }
}

function anomaly(what: string, found: Buffer): Draft {
  return { kind: 'anomaly', what, sha256: sha256Of(found), bytes: found.length };
}

export async function readPending(folder: string): Promise<PendingAppend | undefined> {
  const content = await readIfThere(join(folder, PENDING));
  if (!content) return undefined;
  const end = content.indexOf(0x0a);
  const offset = Number(content.subarray(0, end).toString('latin1'));
  // It gets its name only when it is whole: anything else was put there by somebody else, and explains nothing.
  return { offset: end > 0 && Number.isInteger(offset) ? offset : Number.MAX_SAFE_INTEGER, bytes: content.subarray(end + 1) };
}

/** The content of a file; `undefined` when it is not there. Throws what the disk says otherwise. */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  return onDisk('read', path, async () => {
    try {
      return await readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  });
}
