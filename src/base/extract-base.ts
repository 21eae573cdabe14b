import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { baseFileKey, type BaseArchive, type BaseManifest } from '../catalog/base-manifest.ts';
import { decompressFrame } from '../codec/frame.ts';
import { BackupError } from '../errors.ts';
import { runProgram } from '../postgres/run-program.ts';
import type { Storage } from '../storage/storage.ts';

export interface ExtractOptions {
  readonly manifest: BaseManifest;
  /** A target that has all of it. */
  readonly from: Storage;
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

/** Fetches one archive, checks it, and lets `tar` make its files. Throws `BACKUP_DAMAGED` where it is not what was stored. */
export async function extractArchive(options: ExtractOptions): Promise<void> {
  const { into, except, signal } = options;
  if (!except) {
    await runProgram('tar', ['-x', '-p', '-C', into], { stdin: rawBytes(options), signal });
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'db-backup-except-'));
  try {
    const list = join(folder, 'names');
    await writeFile(list, [...except].map((name) => `${name}\n`).join(''), 'utf8');
    const args = ['-x', '-p', '--keep-directory-symlink', '--anchored', '--no-wildcards', '-X', list, '-C', into];
    await runProgram('tar', args, { stdin: rawBytes(options), signal });
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function* rawBytes(options: ExtractOptions): AsyncGenerator<Uint8Array> {
  const { manifest, archive, workers } = options;
  const waiting: Promise<Uint8Array>[] = [];
  let left = archive.rawBytes;
  for await (const frame of frames(options)) {
    const rawLength = Math.min(left, archive.frameBytes);
    left -= rawLength;
    const raw = decompressFrame(manifest.codec, frame, rawLength).catch((cause: unknown) => {
      throw damaged(options, (cause as Error).message, cause);
    });
    raw.catch(() => undefined);
    waiting.push(raw);
    if (waiting.length > workers) yield await waiting.shift()!;
  }
  for (const raw of waiting) yield await raw;
}

/** The frames of the file, each in a buffer of its own; at the end the file's checksum is compared. */
async function* frames(options: ExtractOptions): AsyncGenerator<Uint8Array> {
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
  }
  if (frame || sizes.next().done !== true) throw damaged(options, 'it is cut off');
  if (hash.digest('hex') !== archive.sha256) throw damaged(options, 'its content is not what was stored');
}

function damaged({ manifest, from, archive }: ExtractOptions, problem: string, cause?: unknown): BackupError {
  const where = from.location(baseFileKey(manifest.label, archive.name));
  return new BackupError('BACKUP_DAMAGED', `the physical backup ${where} is damaged: ${problem}`, {
    cause,
    hint: 'Recover from another target or from an older backup; nothing was started.',
  });
}
