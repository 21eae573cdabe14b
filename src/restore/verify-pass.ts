import { createHash, hash } from 'node:crypto';
import { AROUND_SECTIONS } from '../codec/script-comments.ts';
import { readMemberHeader } from '../codec/member.ts';
import { addDigests, EMPTY_DIGEST } from '../codec/row-digest.ts';
import type { Manifest, MemberEntry } from '../catalog/manifest.ts';
import { blocksOf, loadTargetKey } from '../catalog/member-index.ts';
import type { Storage } from '../storage/storage.ts';
import { openBytes } from './byte-stream.ts';
import { decodeInBackground } from './decode.ts';
import { describeMember } from './describe-member.ts';
import { release } from '../codec/release.ts';
import { createRowTally, type Tally } from './row-tally.ts';
import { createScriptHash, readBegin, readEnd } from './script-text.ts';

/** What one reading of every byte of a dump found. Lists of problems are empty when there are none. */
export interface PassFindings {
  readonly bytes: number;
  /** `undefined` when the file could not be read to the manifest's end. */
  readonly sha256: string | undefined;
  readonly file: string[];
  readonly members: string[];
  readonly script: string[];
  /** By {@link loadTargetKey}. Absent: no block of it was read. */
  readonly tables: ReadonlyMap<string, Tally>;
  /** Targets whose rows could not all be read. */
  readonly brokenTables: ReadonlySet<string>;
  /** Hashes of head and tail without what db-backup adds, for comparison with the archive; absent when a member of them is damaged. */
  readonly head?: string;
  readonly tail?: string;
}

/** Members that are decompressed ahead, on the thread pool. */
const AHEAD = 4;

/**
 * Reads a dump front to back and checks whatever can be checked without a server. Damage is collected, not thrown: one bad member
 * does not keep the others from being looked at. Failures to read (but for a file that is too short) are thrown.
 */
export async function readWholeDump(
  copy: Storage,
  key: string,
  manifest: Manifest,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<PassFindings> {
  const pass = createPass(manifest);
  const fileHash = createHash('sha256');
  const stream = openBytes(copy.get(key, undefined, signal));
  const pending: Promise<void>[] = [];
  let order: Promise<void> = Promise.resolve();
  let bytes = 0;
  let whole = true;
  try {
    for (const [index, entry] of manifest.members.entries()) {
      let member: Buffer;
      try {
        member = await stream.take(entry.length);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof Error) || !error.message.startsWith('the file ends')) throw error;
        pass.file.push(`the file is cut off in ${describeMember(manifest, index)}`);
        whole = false;
        break;
      }
      bytes += member.length;
      fileHash.update(member);
      if (hash('sha256', member) !== entry.sha256)
        pass.members.push(`${describeMember(manifest, index)} does not have its SHA-256`);
      const header = readMemberHeader(manifest.codec.name, member);
      if (!header || !sameHeader(header, entry))
        pass.members.push(`the header of ${describeMember(manifest, index)} is not as in the manifest`);
      const decoded = decodeInBackground(manifest.codec.name, member, describeMember(manifest, index)).catch(
        (error: unknown) => error as Error,
      );
      order = order.then(async () => {
        const raw = await decoded;
        release(member);
        pass.take(index, entry, raw);
        if (entry.kind === 'chunk' && !(raw instanceof Error)) release(raw);
      });
      pending.push(order);
      if (pending.length >= AHEAD) await pending.shift();
      onBytes(bytes);
    }
    await order;
    if (whole && !(await stream.ended())) pass.file.push(`bytes follow the last member, at ${bytes}`);
  } finally {
    await Promise.allSettled(pending);
    await stream.close();
  }
  return { ...pass.end(whole), bytes, sha256: whole ? fileHash.digest('hex') : undefined };
}

interface Pass {
  readonly file: string[];
  readonly members: string[];
  take(index: number, entry: MemberEntry, raw: Buffer | Error): void;
  end(whole: boolean): Omit<PassFindings, 'bytes' | 'sha256'>;
}

function createPass(manifest: Manifest): Pass {
  const [file, members, script]: [string[], string[], string[]] = [[], [], []];
  const tables = new Map<string, Tally>();
  const brokenTables = new Set<string>();
  const rows = createRowTally();
  const texts = { head: createScriptHash(), tail: createScriptHash() };
  const broken = { head: false, tail: false };
  const last = manifest.members.length - 1;

  function takeScript(index: number, kind: 'head' | 'tail', raw: Buffer): void {
    let text = raw;
    if (index === 0) {
      const begin = readBegin(text);
      if (!begin) script.push('the script does not begin with the line that says what it is');
      else if (fieldOf(begin.facts, 'label') !== manifest.label) script.push('the first line of the script names another backup');
      text = text.subarray(begin?.restAt ?? 0);
    }
    if (index === last) {
      const end = readEnd(text);
      if (!end) script.push('the script has no last line: it is not complete');
      else if (JSON.stringify(fieldOf(end.facts, 'tables')) !== JSON.stringify(manifest.tables)) {
        script.push('the last line of the script and the manifest do not list the same tables');
      }
      text = text.subarray(0, end?.endAt ?? text.length);
    }
    texts[kind].update(text);
  }

  function takeChunk(index: number, entry: MemberEntry, raw: Buffer): void {
    let offset = 0;
    for (const { table, rawLength } of blocksOf(entry)) {
      const text = raw.subarray(offset, offset + rawLength);
      offset += rawLength;
      takeBlock(index, loadTargetKey(manifest.tables[table]!), text, entry.continues !== true);
    }
  }

  function takeBlock(index: number, table: string, text: Buffer, last: boolean): void {
    try {
      const block = rows.add(text, manifest.members[index - 1]?.continues !== true, last);
      if (!block) return;
      const sum = tables.get(table) ?? { rows: 0, digest: EMPTY_DIGEST };
      tables.set(table, { rows: sum.rows + block.rows, digest: addDigests(sum.digest, block.digest) });
    } catch (error) {
      brokenTables.add(table);
      members.push(
        `${describeMember(manifest, index)} is not a COPY block: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  return {
    file,
    members,
    take(index, entry, raw) {
      if (raw instanceof Error) {
        members.push(raw.message);
        rows.forget();
        if (entry.kind === 'chunk')
          for (const { table } of blocksOf(entry)) brokenTables.add(loadTargetKey(manifest.tables[table]!));
        else broken[entry.kind] = true;
      } else if (entry.kind === 'chunk') takeChunk(index, entry, raw);
      else takeScript(index, entry.kind, raw);
    },
    end(whole) {
      if (!whole) {
        broken.tail = true;
        script.push('the script has no last line: it is not complete');
      }
      const head = broken.head ? {} : { head: texts.head.digest() };
      const tail = broken.tail ? {} : { tail: texts.tail.digest() };
      return { file, members, script, tables, brokenTables, ...head, ...tail };
    },
  };
}

/** The hash that {@link PassFindings.head} or `tail` has when the dump says what the archive says. */
export function expectedScript(kind: 'head' | 'tail'): {
  readonly update: (text: Uint8Array) => void;
  readonly digest: () => string;
} {
  const script = createScriptHash();
  if (kind === 'tail') script.update(Buffer.from(AROUND_SECTIONS.beforeData));
  return {
    update: (text) => script.update(text),
    digest() {
      if (kind === 'head') script.update(Buffer.from(AROUND_SECTIONS.afterPreData));
      return script.digest();
    },
  };
}

function sameHeader(header: NonNullable<ReturnType<typeof readMemberHeader>>, entry: MemberEntry): boolean {
  return (
    header.kind === entry.kind &&
    header.length === entry.length &&
    header.rawLength === entry.rawLength &&
    header.rows === entry.rows &&
    header.continues === (entry.continues === true) &&
    (header.several === true) === (entry.blocks !== undefined)
  );
}

function fieldOf(facts: unknown, name: string): unknown {
  return typeof facts === 'object' && facts !== null && name in facts ? (facts as Record<string, unknown>)[name] : undefined;
}
