import { createHash } from 'node:crypto';
import { basename } from 'node:path/posix';
import type { BackupCopy } from '../catalog/backup.ts';
import { readObject } from '../catalog/catalog.ts';
import { parseManifest } from '../catalog/manifest-file.ts';
import type { FileProperties, Manifest, MemberEntry } from '../catalog/manifest.ts';
import { describeContent } from '../catalog/member-index.ts';
import { SIDE } from '../catalog/names.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';

/** How many sentences a damaged copy is given. */
const MOST_PROBLEMS = 5;

export interface CopyToCheck {
  readonly storage: Storage;
  readonly key: string;
  /** As the listing sees it. */
  readonly copy: BackupCopy;
  readonly manifest: Manifest;
  /** The first member to read. */
  readonly fromMember: number;
  /** Bytes of the dump to read; one member is read in any case. */
  readonly budget: number;
}

export interface CopyCheck {
  readonly verdict: 'passed' | 'partly' | 'damaged';
  readonly readBytes: number;
  /** Suffixes of the files that differ from what the manifest says; `''` is the dump. */
  readonly damaged: readonly string[];
  readonly problems: readonly string[];
  /** Of `partly`. */
  readonly nextMember?: number;
}

/**
 * Re-reads a copy, or as much of it as the budget allows, and compares it with the manifest member by member. Throws when it could not
 * be read for a reason that says nothing about its bytes: a network, a right that is missing.
 */
export async function checkCopy(task: CopyToCheck, signal: AbortSignal): Promise<CopyCheck> {
  const { key, copy, manifest } = task;
  const damaged = new Map<string, string[]>();
  const blame = (suffix: string, problem: string) => damaged.set(suffix, [...(damaged.get(suffix) ?? []), problem]);
  const examine = async (suffix: string, look: () => Promise<string | undefined>) => {
    try {
      const problem = await look();
      if (problem !== undefined) blame(suffix, problem);
    } catch (error) {
      signal.throwIfAborted();
      blame(suffix, damageIn(toBackupError(error)));
    }
  };

  let readBytes = 0;
  await examine(SIDE.manifest, async () => {
    const own = parseManifest(
      await readObject(task.storage, key + SIDE.manifest, signal),
      task.storage.location(key + SIDE.manifest),
    );
    return own.file.sha256 === manifest.file.sha256 ? undefined : `${basename(key)}${SIDE.manifest} describes another dump`;
  });
  for (const [suffix, expected] of sideFilesOf(manifest)) {
    await examine(suffix, async () => {
      readBytes += expected.bytes;
      return (await hashOf(task.storage, key + suffix, signal)) === expected.sha256
        ? undefined
        : `${expected.name} has other bytes`;
    });
  }
  let next = task.fromMember;
  if (copy.state === 'size-differs') {
    blame('', copy.detail ?? 'its size differs');
    next = manifest.members.length;
  } else {
    await examine('', async () => {
      const { wrong, end, bytes } = await readMembers(task, signal);
      next = end;
      readBytes += bytes;
      for (const member of wrong.slice(0, MOST_PROBLEMS)) blame('', describe(member, manifest));
      if (wrong.length > MOST_PROBLEMS) blame('', `and ${wrong.length - MOST_PROBLEMS} more members`);
      return undefined;
    });
  }
  const facts = { readBytes, damaged: [...damaged.keys()], problems: [...damaged.values()].flat() };
  if (damaged.size > 0) return { ...facts, verdict: 'damaged' };
  return next < manifest.members.length ? { ...facts, verdict: 'partly', nextMember: next } : { ...facts, verdict: 'passed' };
}

/** Files beside the dump with what they should be, by suffix. */
export function sideFilesOf({ side }: Manifest): [suffix: string, expected: FileProperties][] {
  const sides: [string, FileProperties | undefined][] = [
    [SIDE.toc, side.toc],
    [SIDE.globals, side.globals],
  ];
  return sides.flatMap(([suffix, expected]) => (expected ? [[suffix, expected]] : []));
}

/** SHA-256 of an object's bytes, hex. */
export async function hashOf(storage: Storage, key: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of storage.get(key, undefined, signal)) hash.update(chunk);
  return hash.digest('hex');
}

/** Reads whole members from `fromMember` on, in one stream, until the budget is used up. */
async function readMembers({ storage, key, manifest, fromMember, budget }: CopyToCheck, signal: AbortSignal) {
  const members = manifest.members.slice(fromMember);
  let count = 0;
  let length = 0;
  while (count < members.length && (count === 0 || length + members[count]!.length <= budget)) {
    length += members[count]!.length;
    count += 1;
  }
  const wrong: MemberEntry[] = [];
  let at = 0;
  let left = members[0]?.length ?? 0;
  let hash = createHash('sha256');
  if (count > 0) {
    for await (const chunk of storage.get(key, { offset: members[0]!.offset, length }, signal)) {
      for (let from = 0; from < chunk.length;) {
        const part = chunk.subarray(from, from + left);
        hash.update(part);
        from += part.length;
        left -= part.length;
        if (left > 0) continue;
        if (hash.digest('hex') !== members[at]!.sha256) wrong.push(members[at]!);
        at += 1;
        left = members[at]?.length ?? 0;
        hash = createHash('sha256');
      }
    }
  }
  return { wrong, end: fromMember + count, bytes: length };
}

function describe(member: MemberEntry, manifest: Manifest): string {
  const { offset, length } = member;
  return `${describeContent(manifest, member)} differ from what was stored (bytes ${offset} to ${offset + length})`;
}

/** What a failure to read says about the copy; rethrows one that says nothing about it. */
function damageIn(error: BackupError): string {
  const unreadable = ((error.cause ?? {}) as NodeJS.ErrnoException).code === 'EIO';
  const telling = ['STORAGE_MISSING', 'STORAGE_CORRUPT', 'BACKUP_DAMAGED'].includes(error.code) && !error.retryable;
  if (telling || unreadable) return error.message;
  throw error;
}
