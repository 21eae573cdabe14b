import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { formatLsn, parseLsn } from '../catalog/lsn.ts';
import type { WalMoment } from '../catalog/wal-meta.ts';
import { parseWalFile, partialName, type WalFile } from '../catalog/wal-names.ts';
import type { Clock } from '../clock.ts';
import type { CodecName } from '../codec/codec.ts';
import type { BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { Moments, type NotedMoment } from './moments.ts';
import { provenOf } from './open-segment.ts';
import { SegmentBuffer } from './segment-buffer.ts';
import { packWal, removeOpenSegment, storeOpenSegment, storeWal, type PackedWal, type WalOrigin } from './store-wal-file.ts';
import type { Reached, TargetView } from './stream-state.ts';

export interface WalArchiveOptions extends WalOrigin {
  /** Where the receiver writes. */
  readonly folder: string;
  readonly segmentBytes: number;
  /** Where finished files go. */
  readonly targets: readonly Storage[];
  /** Where the open segment goes as well: not to the disk that it is on already. */
  readonly openTargets: readonly Storage[];
  readonly codec: CodecName;
  readonly level: number;
  readonly clock: Clock;
}

/** What one target has, as far as this process knows. */
interface Held {
  /** Names of files that are in the receiver's folder still. */
  readonly files: Set<string>;
  /** The end of the last finished segment, and its timeline. */
  end?: bigint;
  timeline?: number;
  open?: { readonly name: string; readonly sha256: string; readonly moment: WalMoment | undefined };
}

/**
 * Takes finished files of WAL from the folder of the receiver to every target. A file leaves the folder only when all targets have it, so
 * whatever ends this process the next one goes on.
 */
export class WalArchive {
  /** To be told of the source's clock and WAL from time to time. */
  readonly moments = new Moments();
  readonly #options: WalArchiveOptions;
  readonly #held: ReadonlyMap<Storage, Held>;
  readonly #buffer: SegmentBuffer;
  /** The file that was packed last: targets mostly want the same one. */
  #packed: { readonly name: string; readonly packed: Promise<PackedWal> } | undefined;

  constructor(options: WalArchiveOptions) {
    this.#options = options;
    this.#buffer = new SegmentBuffer(options.segmentBytes);
    this.#held = new Map(options.targets.map((target) => [target, { files: new Set<string>() }]));
  }

  /** Stores the finished files that a target lacks, in their order, and says which. Throws the first failure; targets do not wait for each other. */
  async store(target: Storage, signal: AbortSignal): Promise<string[]> {
    const held = this.#heldBy(target);
    const done: string[] = [];
    for (const file of await this.#files()) {
      if (file.kind === 'partial' || held.files.has(file.name)) continue;
      signal.throwIfAborted();
      await storeWal(target, await this.#packFinished(file), signal);
      held.files.add(file.name);
      done.push(file.name);
      if (file.kind !== 'segment') continue;
      held.end = (file.number + 1n) * BigInt(this.#options.segmentBytes);
      held.timeline = file.timeline;
      if (this.#options.openTargets.includes(target)) {
        await removeOpenSegment(target, this.#options, file, this.#options.codec);
      }
    }
    return done;
  }

  /** Removes what every target has; the newest file stays: it tells the receiver where to go on. */
  async tidy(): Promise<string[]> {
    const files = (await this.#files()).slice(0, -1).filter(({ kind }) => kind !== 'partial');
    const done = files.filter(({ name }) => [...this.#held.values()].every((held) => held.files.has(name)));
    for (const { name } of done) {
      await rm(join(this.#options.folder, name), { force: true });
      for (const held of this.#held.values()) held.files.delete(name);
    }
    return done.map(({ name }) => name);
  }

  /**
   * Copies the open segment where it has changed. Its file has its full size from the start, so the content tells. Throws, leaving the copy
   * that is there, when its bytes do not go as far as is known to be received.
   */
  async copyOpenSegment(target: Storage, signal: AbortSignal): Promise<void> {
    const file = (await this.#files()).findLast(({ kind }) => kind === 'partial');
    if (!file) return;
    const moment = this.moments.newest;
    // Between looking and reading the receiver may have given it its final name: then it is finished, and stored by `store`.
    const read = await this.#pack(file).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    if (!read) return;
    const { packed, problem } = read;
    if (problem) throw problem;
    const held = this.#heldBy(target);
    const sha256 = packed.meta.rawSha256;
    const isThere = held.open?.name === file.name && held.open.sha256 === sha256;
    if (!isThere) await storeOpenSegment(target, packed, signal);
    held.open = { name: file.name, sha256, moment };
  }

  /** Whether the finished segments that a target has go as far as this: then the open one adds nothing that was looked at. */
  hasFinished(target: Storage, { lsn, timeline }: NotedMoment): boolean {
    const held = this.#heldBy(target);
    return held.end !== undefined && held.timeline === timeline && parseLsn(lsn) <= held.end;
  }

  /** How far each target is. */
  async view(): Promise<TargetView[]> {
    const files = (await this.#files()).filter(({ kind }) => kind !== 'partial');
    return [...this.#held].map(([target, held]) => {
      const lacking = files.filter(({ name }) => !held.files.has(name));
      const reached = this.#reached(target, held, lacking);
      return {
        ...{ target: target.name, waitingFiles: lacking.length },
        waitingBytes: lacking.filter(({ kind }) => kind === 'segment').length * this.#options.segmentBytes,
        ...(reached && { reached }),
      };
    });
  }

  /** Bytes of all files that are in the receiver's folder. */
  async bytes(): Promise<number> {
    return (await this.#files()).filter(({ kind }) => kind !== 'history').length * this.#options.segmentBytes;
  }

  /**
   * Empties the receiver's folder, when the server cannot go on from there: the open segment is stored as far as it came, on every target.
   * Throws, leaving everything, as long as a target lacks something.
   */
  async setAside(signal: AbortSignal): Promise<void> {
    const { folder, targets } = this.#options;
    for (const target of targets) await this.store(target, signal);
    for (const file of await this.#files()) {
      if (file.kind === 'partial') {
        const { packed } = await this.#pack(file);
        for (const target of targets) await storeOpenSegment(target, packed, signal);
      }
      await rm(join(folder, file.name));
    }
  }

  #reached(target: Storage, held: Held, lacking: readonly WalFile[]): Reached | undefined {
    const { segmentBytes, openTargets } = this.#options;
    const { end, open } = held;
    const moment = open?.moment;
    const first = lacking.find((file) => file.kind === 'segment');
    if (first?.kind === 'segment') {
      // What came while it was open may be there.
      const copied = open?.name === partialName(first.name) ? moment : undefined;
      return copied ?? this.#upTo(first.number * BigInt(segmentBytes));
    }
    // What is in the receiver's folder is on the disk of the local target already.
    if (!openTargets.includes(target)) return this.moments.newest;
    if (moment && (end === undefined || parseLsn(moment.lsn) >= end)) return moment;
    return end === undefined ? undefined : this.#upTo(end);
  }

  #upTo(lsn: bigint): Reached {
    const moment = this.moments.before(lsn);
    return { lsn: formatLsn(lsn), ...(moment && { time: moment.time }) };
  }

  #heldBy(target: Storage): Held {
    return this.#held.get(target)!;
  }

  async #packFinished(file: WalFile): Promise<PackedWal> {
    if (this.#packed?.name !== file.name) {
      const packed = this.#pack(file).then((read) => read.packed);
      packed.catch(() => (this.#packed = undefined));
      this.#packed = { name: file.name, packed };
    }
    return await this.#packed.packed;
  }

  async #pack(file: WalFile): Promise<{ readonly packed: PackedWal; readonly problem?: BackupError }> {
    const { folder, segmentBytes } = this.#options;
    // The moments first: what is written afterwards is later than they are.
    const noted = file.kind === 'history' ? [] : this.moments.inSegment(file, segmentBytes, file.kind === 'segment');
    return await this.#buffer.withFile(join(folder, file.name), async (raw) => {
      const { moments, problem } = file.kind === 'partial' ? provenOf(file, raw, noted) : { moments: noted };
      return { packed: await packWal(file, raw, { ...this.#options, moments }), ...(problem && { problem }) };
    });
  }

  async #files(): Promise<WalFile[]> {
    const names = (await readdir(this.#options.folder)).sort();
    return names.flatMap((name) => parseWalFile(name, this.#options.segmentBytes) ?? []);
  }
}
