import { createHash } from 'node:crypto';
import { basename } from 'node:path/posix';
import { readObject } from '../catalog/catalog.ts';
import { parseManifest, serializeManifest } from '../catalog/manifest-file.ts';
import {
  manifestVersion,
  type CopyEntry,
  type FileProperties,
  type Manifest,
  type MemberEntry,
  type TableEntry,
} from '../catalog/manifest.ts';
import { loadTargetKey } from '../catalog/member-index.ts';
import { parseDumpName, SIDE } from '../catalog/names.ts';
import { addDigests, EMPTY_DIGEST } from '../codec/row-digest.ts';
import { BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { readCopyHeader } from './copy-header.ts';
import { decodeText } from './encoding.ts';
import type { RunContext } from './phases.ts';
import type { Tally } from './row-tally.ts';
import { scanDump, type Scan } from './scan-dump.ts';

/** Fields of the two comment lines; see docs/backup-format.md. */
type BeginFacts = Pick<Manifest, 'label' | 'source' | 'database' | 'server' | 'programs' | 'snapshot' | 'codec' | 'requires'> & {
  readonly startedAt: string;
};
type EndFacts = Pick<Manifest, 'omitted' | 'warnings' | 'tables' | 'sequences' | 'largeObjects'>;

/**
 * Rebuilds the manifest of a dump from the file alone and stores it beside it. Every byte is read; rows are counted and digested
 * anew. Throws `BACKUP_DAMAGED` for a file that is not whole, saying what of it can be saved, `BACKUP_FORMAT` for one that is not
 * ours or whose manifest a newer version of this program wrote, which may know more than the file tells; nothing is written then.
 */
export async function reindexBackup(storage: Storage, key: string, context: RunContext): Promise<Manifest> {
  await refuseNewerManifest(storage, key + SIDE.manifest, context.signal);
  const manifest = await rebuildManifest(storage, key, context);
  const bytes = serializeManifest(manifest);
  // Writing what could not be read again would be no gain.
  parseManifest(bytes, key + SIDE.manifest);
  async function* open(): AsyncGenerator<Uint8Array> {
    yield bytes;
  }
  await storage.put(key + SIDE.manifest, { open, replayable: true, size: bytes.length }, context.signal);
  return manifest;
}

async function refuseNewerManifest(storage: Storage, key: string, signal: AbortSignal): Promise<void> {
  if ((await storage.head(key, signal)) === undefined) return;
  try {
    parseManifest(await readObject(storage, key, signal), storage.location(key));
  } catch (error) {
    signal.throwIfAborted();
    // One that is damaged or cannot be read is what this is for.
    if (error instanceof BackupError && error.code === 'BACKUP_FORMAT') throw error;
  }
}

/** The manifest that {@link reindexBackup} would store. */
export async function rebuildManifest(storage: Storage, key: string, context: RunContext): Promise<Manifest> {
  const { signal, clock } = context;
  const name = parseDumpName(key);
  if (!name)
    throw notOurs(storage.location(key), 'its name is not that of a dump (backup_<source>_<date>_<time>.sql.gz or .sql.zst)');
  const info = await storage.head(key, signal);
  if (!info) throw new BackupError('BACKUP_UNKNOWN', `There is no dump at ${storage.location(key)}.`);
  const scan = await scanDump(storage, key, name.codec, signal, (bytes) =>
    context.onProgress?.({ phase: 'reindex', bytes, totalBytes: info.size }),
  );
  if (scan.members.length === 0)
    throw notOurs(storage.location(key), info.size === 0 ? 'it is empty' : 'it does not begin with a member of the format');
  if (scan.problem !== undefined || scan.begin === undefined || scan.end === undefined)
    throw notWhole(storage.location(key), scan);

  const begin = scan.begin as BeginFacts;
  const end = scan.end as EndFacts;
  const encoding = begin.database.encoding;
  const indexByTarget = new Map(end.tables.map((table, index) => [loadTargetKey(table), index]).reverse() as [string, number][]);
  checkRows(storage.location(key), scan, end.tables, encoding);
  const members = scan.members.map(({ header, offset, sha256, blocks: found = [] }): MemberEntry => {
    // All the tables that rows were found of are in the list: that was checked.
    const blocks = found.map(({ copyHeader, ...block }) => ({
      table: indexByTarget.get(headerKey(copyHeader, encoding))!,
      ...block,
    }));
    return {
      kind: header.kind,
      ...(blocks[0] && header.several !== true ? { table: blocks[0].table } : {}),
      offset,
      length: header.length,
      rawLength: header.rawLength,
      rows: header.rows,
      sha256,
      ...(header.continues ? { continues: true } : {}),
      ...(header.several ? { blocks } : {}),
    };
  });
  const { startedAt, ...facts } = begin;
  const file = { name: basename(key), bytes: scan.bytes, rawBytes: scan.rawBytes, sha256: scan.sha256 };
  const copy: CopyEntry = {
    target: storage.name,
    location: storage.location(key),
    sha256: scan.sha256,
    storedAt: info.modified.toISOString(),
    checkedBy: 'reindex',
  };
  return {
    formatVersion: manifestVersion(members),
    ...facts,
    outcome: end.omitted.length === 0 ? 'complete' : 'incomplete',
    ...end,
    // When the dump ended is not in the file; the storage's time is the nearest that is known.
    timing: { startedAt, finishedAt: info.modified.toISOString(), dumpSeconds: 0 },
    file,
    side: await readSideFiles(storage, key, signal),
    members,
    copies: [copy],
    reindexedAt: clock.now().toISOString(),
  };
}

async function readSideFiles(storage: Storage, key: string, signal: AbortSignal): Promise<Manifest['side']> {
  const toc = await readSideFile(storage, key + SIDE.toc, signal);
  const globals = await readSideFile(storage, key + SIDE.globals, signal);
  return { ...(toc ? { toc } : {}), ...(globals ? { globals } : {}) };
}

async function readSideFile(storage: Storage, key: string, signal: AbortSignal): Promise<FileProperties | undefined> {
  if (!(await storage.head(key, signal))) return undefined;
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of storage.get(key, undefined, signal)) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { name: basename(key), bytes, sha256: hash.digest('hex') };
}

/** The rows that were found are those that the script's last line says, table by table. */
function checkRows(location: string, scan: Scan, tables: readonly TableEntry[], encoding: string): void {
  const found = new Map<string, Tally>();
  for (const [header, tally] of scan.tables) found.set(headerKey(header, encoding), tally);
  const expected = new Map<string, Tally>();
  for (const table of tables) {
    const sum = expected.get(loadTargetKey(table)) ?? { rows: 0, digest: EMPTY_DIGEST };
    expected.set(loadTargetKey(table), { rows: sum.rows + table.rows, digest: addDigests(sum.digest, table.digest) });
  }
  const wrong = [...new Set([...found.keys(), ...expected.keys()])].filter((key) => {
    const [is, should] = [found.get(key), expected.get(key)];
    return (is?.rows ?? 0) !== (should?.rows ?? 0) || (is?.digest ?? EMPTY_DIGEST) !== (should?.digest ?? EMPTY_DIGEST);
  });
  if (wrong.length === 0) return;
  const names = wrong.slice(0, 5).map((key) => (JSON.parse(key) as string[]).join('.'));
  throw new BackupError(
    'BACKUP_DAMAGED',
    `${location} contradicts itself: the rows of ${names.join(', ')} are not those that its last line says. No manifest was written.`,
  );
}

function headerKey(copyHeader: string, encoding: string): string {
  const target = readCopyHeader(decodeText(Buffer.from(copyHeader, 'latin1'), encoding));
  return JSON.stringify([target?.schema ?? '', target?.name ?? copyHeader]);
}

function notOurs(location: string, why: string): BackupError {
  return new BackupError('BACKUP_FORMAT', `${location} is not a dump that db-backup can index: ${why}. Nothing was changed.`, {
    hint: 'What other tools made is restored by its path: backup-manager restore FILE DB.',
  });
}

function notWhole(location: string, scan: Scan): BackupError {
  const rows = [...scan.tables.values()].reduce((sum, table) => sum + table.rows, 0);
  const why = scan.problem ?? (scan.begin === undefined ? 'its first line is not that of a dump' : 'its last line is missing');
  const whole = `The first ${scan.bytes} bytes are whole: ${scan.members.length} members with ${rows} rows of ${scan.tables.size} tables`;
  return new BackupError('BACKUP_DAMAGED', `${location} is not a whole dump: ${why}. ${whole}. No manifest was written.`, {
    hint: `To save what is there: head -c ${scan.bytes} FILE, decompress, and feed it to psql; indexes and constraints come last and are probably missing.`,
  });
}
