import { createHash, hash } from 'node:crypto';
import { BackupError } from '../errors.ts';
import { openBytes, type ByteStream } from './byte-stream.ts';
import { describeMember } from './describe-member.ts';
import type { MemberEntry } from '../catalog/manifest.ts';
import type { BackupSource } from './backup-source.ts';

export interface ReadMember {
  readonly index: number;
  readonly entry: MemberEntry;
  /** The whole member as it stands in the file; its SHA-256 is that of the manifest. In a buffer of its own. */
  readonly bytes: Buffer;
}

/**
 * Reads members in file order and lets only those pass whose SHA-256 is the manifest's. A member that one copy gives
 * wrongly, or not at all, is taken from the next copy.
 */
export interface MemberReader {
  /** Members `from` to before `to`. Throws `BACKUP_DAMAGED` (or the storage's error) at one that no copy gives whole. */
  read(from: number, to: number, signal?: AbortSignal): AsyncGenerator<ReadMember, void, void>;
  /** What went wrong with a copy although another one had the bytes. */
  readonly warnings: readonly string[];
  /** Once every member has been read, in order: throws `BACKUP_DAMAGED` unless the file's SHA-256 is the manifest's. */
  checkFile(): void;
}

export function createMemberReader(source: BackupSource): MemberReader {
  const { copies, key, manifest } = source;
  const warnings: string[] = [];
  const fileHash = createHash('sha256');
  let hashed = 0;
  let current = 0;

  return {
    warnings,
    async *read(from, to, signal) {
      const end = to < manifest.members.length ? manifest.members[to]!.offset : manifest.file.bytes;
      let stream: ByteStream | undefined;
      try {
        for (let index = from; index < to; index += 1) {
          const entry = manifest.members[index]!;
          const failures: unknown[] = [];
          let bytes: Buffer | undefined;
          while (bytes === undefined) {
            const copy = copies[current]!;
            try {
              stream ??= openBytes(copy.get(key, { offset: entry.offset, length: end - entry.offset }, signal));
              const read = await stream.take(entry.length);
              if (hash('sha256', read) !== entry.sha256) throw damagedMember(source, index, copy.location(key));
              bytes = read;
            } catch (error) {
              await stream?.close();
              stream = undefined;
              signal?.throwIfAborted();
              failures.push(error);
              current = (current + 1) % copies.length;
              if (failures.length === copies.length) throw failures[0];
              warnings.push(error instanceof Error ? error.message : String(error));
            }
          }
          if (hashed === index) {
            fileHash.update(bytes);
            hashed += 1;
          }
          yield { index, entry, bytes };
        }
      } finally {
        await stream?.close();
      }
    },
    checkFile() {
      if (hashed === manifest.members.length && fileHash.digest('hex') === manifest.file.sha256) return;
      throw new BackupError(
        'BACKUP_DAMAGED',
        `The SHA-256 of ${key} is not the one in its manifest, although that of each member is.`,
        {
          hint: 'The manifest contradicts itself. Rebuild it: backup-manager reindex FILE.',
        },
      );
    },
  };
}

function damagedMember(source: BackupSource, index: number, location: string): BackupError {
  return new BackupError(
    'BACKUP_DAMAGED',
    `${location} is damaged: ${describeMember(source.manifest, index)} does not have the SHA-256 of the manifest.`,
    {
      hint: 'Restore from another target or another backup. `backup-manager verify` says what else of it is damaged.',
    },
  );
}
