import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { baseFileKey, PG_MANIFEST, type BaseArchive, type BaseManifest } from '../catalog/base-manifest.ts';
import { readObject } from '../catalog/catalog.ts';
import { decompressFrame } from '../codec/frame.ts';
import { release } from '../codec/release.ts';
import { BackupError, toBackupError } from '../errors.ts';
import { runProgram } from '../postgres/run-program.ts';
import type { Storage } from '../storage/storage.ts';

export interface ExtractOptions {
  readonly manifest: BaseManifest;
  /** Targets that have all of it, at least one, in the order in which they are tried. */
  readonly from: readonly Storage[];
  /** One of them did not have it whole, or did not give it: the next one is asked. */
  readonly onBadCopy: (error: BackupError, target: Storage) => void;
  readonly archive: BaseArchive;
  readonly into: string;
  /** Names in the archive that are left out; links to folders are then kept as they are. Everything is extracted when absent. */
  readonly except?: Iterable<string>;
  /** Frames that are decompressed at the same time. */
  readonly workers: number;
  /** Bytes of the archive that have been read. */
  readonly progress?: (bytes: number) => void;
  readonly signal: AbortSignal;
}

type FromOne = Omit<ExtractOptions, 'from'> & { readonly from: Storage };

/**
 * Fetches one archive, checks it, and lets `tar` make its files. Throws `BACKUP_DAMAGED` where it is what was stored on no target; what a damaged
 * copy left is overwritten by the next one.
 */
export async function extractArchive(options: ExtractOptions): Promise<void> {
  await fromAny(options, async (from) => await extractFrom({ ...options, from }));
}

/** PostgreSQL's own manifest of the backup, as it was stored. */
export async function readPgManifest(
  options: Pick<ExtractOptions, 'manifest' | 'from' | 'onBadCopy' | 'signal'>,
): Promise<Uint8Array> {
  const { label, pgManifest } = options.manifest;
  return await fromAny(options, async (from) => {
    const key = baseFileKey(label, PG_MANIFEST);
    const bytes = await readObject(from, key, options.signal);
    if (createHash('sha256').update(bytes).digest('hex') === pgManifest.sha256) return bytes;
    throw new BackupError(
      'BACKUP_DAMAGED',
      `the physical backup ${from.location(key)} is damaged: its content is not what was stored`,
      {
        hint: HINT,
      },
    );
  });
}

/** Records of 256 KiB: with its usual 10 KiB `tar` takes twice the time. */
const EXTRACT = ['-x', '-p', '-b', '512'];

const HINT = 'Recover from another target or from an older backup; nothing was started.';

async function fromAny<T>(
  { from, onBadCopy, signal }: Pick<ExtractOptions, 'from' | 'onBadCopy' | 'signal'>,
  use: (target: Storage) => Promise<T>,
): Promise<T> {
  for (const [at, target] of from.entries()) {
    try {
      return await use(target);
    } catch (error) {
      const failure = toBackupError(error);
      // On a disk that is full another copy has no room either.
      if (signal.aborted || at === from.length - 1 || /No space left on device|ENOSPC/.test(failure.message)) throw error;
      onBadCopy(failure, target);
    }
  }
  throw new TypeError('there is no target to fetch from');
}

async function extractFrom(options: FromOne): Promise<void> {
  const { into, except, signal } = options;
  if (!except) {
    await runProgram('tar', [...EXTRACT, '-C', into], { stdin: rawBytes(options), signal });
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'db-backup-except-'));
  try {
    const list = join(folder, 'names');
    await writeFile(list, [...except].map((name) => `${name}\n`).join(''), 'utf8');
    const args = [...EXTRACT, '--keep-directory-symlink', '--anchored', '--no-wildcards', '-X', list, '-C', into];
    await runProgram('tar', args, { stdin: rawBytes(options), signal });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Each piece may be used until the next one is asked for. */
async function* rawBytes(options: FromOne): AsyncGenerator<Uint8Array> {
  const { manifest, archive, workers } = options;
  const waiting: Promise<Uint8Array>[] = [];
  let left = archive.rawBytes;
  for await (const frame of frames(options)) {
    const rawLength = Math.min(left, archive.frameBytes);
    left -= rawLength;
    const raw = decompressFrame(manifest.codec, frame, rawLength)
      .catch((cause: unknown) => {
        throw damaged(options, (cause as Error).message, cause);
      })
      .finally(() => release(frame));
    raw.catch(() => undefined);
    waiting.push(raw);
    if (waiting.length > workers) yield* usedUp(await waiting.shift()!);
  }
  for (const raw of waiting) yield* usedUp(await raw);
}

/** Not where the reader gives up: the program may still be reading it then. */
function* usedUp(raw: Uint8Array): Generator<Uint8Array> {
  yield raw;
  release(raw);
}

/** The frames of the file, each in a buffer of its own; at the end the file's checksum is compared. */
async function* frames(options: FromOne): AsyncGenerator<Uint8Array> {
  const { manifest, from, archive, progress, signal } = options;
  const hash = createHash('sha256');
  const sizes = archive.frames.values();
  let frame: Buffer | undefined;
  let filled = 0;
  for await (const chunk of from.get(baseFileKey(manifest.label, archive.name), undefined, signal)) {
    hash.update(chunk);
    progress?.(chunk.length);
    for (let at = 0; at < chunk.length;) {
      if (!frame) {
        const size = sizes.next();
        if (size.done === true) throw damaged(options, 'it is longer than it was');
        frame = Buffer.allocUnsafe(size.value);
        filled = 0;
      }
      const length = Math.min(chunk.length - at, frame.length - filled);
      frame.set(chunk.subarray(at, at + length), filled);
      filled += length;
      at += length;
      if (filled < frame.length) continue;
      yield frame;
      frame = undefined;
    }
    release(chunk);
  }
  if (frame || sizes.next().done !== true) throw damaged(options, 'it is cut off');
  if (hash.digest('hex') !== archive.sha256) throw damaged(options, 'its content is not what was stored');
}

function damaged({ manifest, from, archive }: FromOne, problem: string, cause?: unknown): BackupError {
  const where = from.location(baseFileKey(manifest.label, archive.name));
  return new BackupError('BACKUP_DAMAGED', `the physical backup ${where} is damaged: ${problem}`, {
    cause,
    hint: 'Recover from another target or from an older backup; nothing was started.',
  });
}
