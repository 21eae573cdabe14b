import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseLsn } from '../catalog/lsn.ts';
import type { WalMoment } from '../catalog/wal-meta.ts';
import { parseWalFile, segmentOf, type WalFile } from '../catalog/wal-names.ts';
import type { Clock } from '../clock.ts';
import type { CodecName } from '../codec/codec.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { packWal, removeOpenSegment, storeOpenSegment, storeWal, type PackedWal, type WalOrigin } from './store-wal-file.ts';

export interface WalArchiveOptions extends WalOrigin {
  /** Where the receiver writes. */
  readonly folder: string;
  readonly segmentBytes: number;
  /** Where finished files go; one that fails is tried again at the next pass, and holds up no other. */
  readonly targets: readonly Storage[];
  /** Where the open segment goes as well: not to the disk that it is on already. */
  readonly openTargets: readonly Storage[];
  readonly codec: CodecName;
  readonly level: number;
  readonly clock: Clock;
  readonly onFailure: (target: string, file: string, error: BackupError) => void;
}

export interface ArchivePass {
  /** Files that were stored on the last target that lacked them, and removed here. */
  readonly done: readonly string[];
  /** By target: files that it does not have yet. */
  readonly waiting: ReadonlyMap<string, number>;
}

/** In the receiver's folder: the last moment that was noted. */
export const LAST_MOMENT = 'last-moment.json';
/** How many moments are remembered: an hour of one a second. */
const MOMENTS = 3600;

/**
 * Takes finished files of WAL from the folder of the receiver to every target. A file leaves the folder only when all targets have it, so
 * whatever ends this process the next one goes on.
 */
export class WalArchive {
  readonly #options: WalArchiveOptions;
  readonly #moments: WalMoment[] = [];
  /** `target file`, as long as the file waits for others. */
  readonly #stored = new Set<string>();
  #open: { readonly name: string; readonly sha256: string } | undefined;

  constructor(options: WalArchiveOptions) {
    this.#options = options;
  }

  /** To be told of the source's clock and WAL from time to time, in order: it says which instants a file holds. */
  async note(moment: WalMoment): Promise<void> {
    this.#moments.push(moment);
    if (this.#moments.length > MOMENTS) this.#moments.shift();
    // For other processes, and for the one after us.
    const path = join(this.#options.folder, LAST_MOMENT);
    await writeFile(`${path}.new`, JSON.stringify(moment), { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  async pass(signal: AbortSignal): Promise<ArchivePass> {
    const { folder, targets, onFailure } = this.#options;
    const done: string[] = [];
    const waiting = new Map<string, number>();
    // One that failed is not asked again for the files after it: they would only fail as well.
    const failed = new Set<Storage>();
    const files = await this.#files();
    for (const file of files) {
      if (file.kind === 'partial') continue;
      signal.throwIfAborted();
      const lacking = targets.filter(({ name }) => !this.#stored.has(`${name} ${file.name}`));
      const asked = lacking.filter((target) => !failed.has(target));
      if (asked.length > 0) {
        const packed = await this.#pack(file);
        await Promise.all(
          asked.map(async (target) => {
            try {
              await storeWal(target, packed, signal);
              this.#stored.add(`${target.name} ${file.name}`);
              if (this.#options.openTargets.includes(target) && file.kind === 'segment') {
                await removeOpenSegment(target, this.#options, file, this.#options.codec);
              }
            } catch (error) {
              signal.throwIfAborted();
              failed.add(target);
              onFailure(target.name, file.name, toBackupError(error));
            }
          }),
        );
      }
      const still = targets.filter(({ name }) => !this.#stored.has(`${name} ${file.name}`));
      for (const { name } of still) waiting.set(name, (waiting.get(name) ?? 0) + 1);
      // The newest file tells the receiver where to go on.
      if (still.length > 0 || file === files.at(-1)) continue;
      await rm(join(folder, file.name), { force: true });
      for (const { name } of targets) this.#stored.delete(`${name} ${file.name}`);
      done.push(file.name);
    }
    return { done, waiting };
  }

  /** Copies the open segment where it has changed. Its file has its full size from the start, so the content tells. */
  async copyOpenSegment(signal: AbortSignal): Promise<void> {
    const { openTargets, onFailure } = this.#options;
    if (openTargets.length === 0) return;
    const file = (await this.#files()).findLast(({ kind }) => kind === 'partial');
    if (!file) return;
    // Between looking and reading the receiver may have given it its final name: then it is finished, and stored by `pass`.
    const packed = await this.#pack(file).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    if (!packed || (this.#open?.name === file.name && this.#open.sha256 === packed.meta.rawSha256)) return;
    const failed: string[] = [];
    await Promise.all(
      openTargets.map(async (target) => {
        try {
          await storeOpenSegment(target, packed, signal);
        } catch (error) {
          signal.throwIfAborted();
          failed.push(target.name);
          onFailure(target.name, file.name, toBackupError(error));
        }
      }),
    );
    if (failed.length === 0) this.#open = { name: file.name, sha256: packed.meta.rawSha256 };
  }

  /**
   * Empties the receiver's folder, when the server cannot go on from there: the open segment is stored as far as it came, on every target.
   * Throws, leaving everything, as long as a target lacks something.
   */
  async setAside(signal: AbortSignal): Promise<void> {
    const { waiting } = await this.pass(signal);
    const [lacking] = waiting.keys();
    if (lacking !== undefined) {
      throw new BackupError('STORAGE_UNAVAILABLE', `WAL from before a gap is not stored on ${lacking} yet`, { retryable: true });
    }
    const { folder, targets } = this.#options;
    for (const file of await this.#files()) {
      if (file.kind === 'partial') {
        const packed = await this.#pack(file);
        for (const target of targets) await storeOpenSegment(target, packed, signal);
      }
      await rm(join(folder, file.name));
    }
  }

  async #pack(file: WalFile): Promise<PackedWal> {
    const { folder } = this.#options;
    // The moments first: what is written afterwards is later than they are.
    const moments = this.#momentsOf(file);
    const raw = await readFile(join(folder, file.name));
    return await packWal(file, raw, { ...this.#options, moments });
  }

  #momentsOf(file: WalFile): WalMoment[] {
    if (file.kind === 'history') return [];
    return this.#moments.filter(({ lsn }) => segmentOf(parseLsn(lsn), this.#options.segmentBytes) === file.number);
  }

  async #files(): Promise<WalFile[]> {
    const names = (await readdir(this.#options.folder)).sort();
    return names.flatMap((name) => parseWalFile(name, this.#options.segmentBytes) ?? []);
  }
}
