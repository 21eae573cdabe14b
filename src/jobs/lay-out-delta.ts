import { mkdir, rm, statfs, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { extractArchive, readPgManifest, type ExtractOptions } from '../base/extract-base.ts';
import { baseFileKey, PG_MANIFEST } from '../catalog/base-manifest.ts';
import { parsePgManifest } from '../catalog/pg-manifest.ts';
import { BackupError } from '../errors.ts';
import { bytesText } from '../quantities.ts';
import { compareData, type DataComparison } from './compare-data.ts';
import { removeOthers } from './delta.ts';
import { spacesFolder, wholeTargets, type Tablespaces } from './lay-out-base.ts';
import type { RecoveryPlan } from './plan-recovery.ts';

export interface DeltaOptions {
  /** A data directory of that cluster that no server has in use. */
  readonly into: string;
  readonly workers: number;
  /** Another copy is taken. */
  readonly onBadCopy: ExtractOptions['onBadCopy'];
  readonly signal: AbortSignal;
}

export interface DeltaLaidOut {
  readonly spaces: Tablespaces;
  readonly kept: { readonly files: number; readonly bytes: number };
}

/** What is there already, and what it is compared with. */
export interface DeltaStart {
  readonly there: DataComparison;
  readonly pgManifest: Uint8Array;
}

/** Looks what differs, and whether there is room for it. Changes nothing. */
export async function startDelta(
  plan: RecoveryPlan,
  { into, onBadCopy, signal }: Omit<DeltaOptions, 'workers'>,
): Promise<DeltaStart> {
  const { manifest } = plan.base;
  const from = wholeTargets(plan.base);
  const pgManifest = await readPgManifest({ manifest, from, onBadCopy, signal });
  const files = parsePgManifest(pgManifest, from[0]!.location(baseFileKey(manifest.label, PG_MANIFEST)));
  const there = await compareData(into, files, Number.parseInt(manifest.serverVersion, 10), signal);
  await checkRoom(into, plan, there);
  return { there, pgManifest };
}

/**
 * Makes a data directory what a full backup has: files that are the same, by the checksums of PostgreSQL's own manifest, are not touched, all
 * others go, and what is missing is extracted. Tablespaces stay where they are.
 */
export async function layOutDelta(
  { base }: RecoveryPlan,
  { there, pgManifest }: DeltaStart,
  { into, workers, onBadCopy, signal }: DeltaOptions,
): Promise<DeltaLaidOut> {
  const { manifest } = base;
  const from = wholeTargets(base);
  await removeOthers(into, there.others);
  const spaces = Object.fromEntries(
    manifest.tablespaces.map(({ oid }) => [oid, there.spaces[oid] ?? join(spacesFolder(into), oid)]),
  );
  // That of the data directory comes last, and in it `pg_control`: until then no server starts.
  const ordered = manifest.archives.toSorted((a, b) => Number(isMain(a.name)) - Number(isMain(b.name)));
  for (const archive of ordered) {
    const oid = archive.name.split('.')[0]!;
    const prefix = isMain(archive.name) ? '' : `pg_tblspc/${oid}/`;
    const links = manifest.tablespaces.map((each) => `pg_tblspc/${each.oid}`);
    const own = [...there.same].flatMap((path) => (path.startsWith(prefix) ? [path.slice(prefix.length)] : []));
    const folder = spaces[oid] ?? into;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await extractArchive({ manifest, from, archive, into: folder, except: [...own, ...links], workers, onBadCopy, signal });
  }
  await linkSpaces(into, spaces, there);
  await writeFile(join(into, PG_MANIFEST), pgManifest);
  return { spaces, kept: { files: there.same.size, bytes: there.sameBytes } };
}

function isMain(archive: string): boolean {
  return archive.startsWith('base.');
}

/** Links of tablespaces that the backup does not have lead to files of nobody's. */
async function linkSpaces(into: string, spaces: Tablespaces, there: DataComparison): Promise<void> {
  for (const oid of Object.keys(there.spaces)) {
    if (!(oid in spaces)) await rm(join(into, 'pg_tblspc', oid), { force: true });
  }
  for (const [oid, path] of Object.entries(spaces)) {
    if (oid in there.spaces) continue;
    await rm(join(into, 'pg_tblspc', oid), { force: true });
    await symlink(path, join(into, 'pg_tblspc', oid));
  }
}

/** Before anything is removed. */
async function checkRoom(into: string, { diskBytes }: RecoveryPlan, { sameBytes, otherBytes }: DataComparison): Promise<void> {
  const { bavail, bsize } = await statfs(into);
  const [needed, free] = [diskBytes - sameBytes, bavail * bsize + otherBytes];
  if (free >= needed) return;
  throw new BackupError(
    'STORAGE_FULL',
    `there is no room in ${into}: what differs takes ${bytesText(needed)}, ${bytesText(free)} are or become free`,
    { hint: 'Free space there, or recover into a folder on a larger volume. Nothing was changed.' },
  );
}
