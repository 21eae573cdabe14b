import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { UsableBase } from '../base/chains.ts';
import { extractArchive, readPgManifest, type ExtractOptions } from '../base/extract-base.ts';
import type { StoredBaseBackup } from '../base/list-bases.ts';
import { PG_MANIFEST, type BaseArchive } from '../catalog/base-manifest.ts';
import { BackupError } from '../errors.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { runProgram } from '../postgres/run-program.ts';
import type { Storage } from '../storage/storage.ts';

export interface LayOutOptions {
  /** An empty folder. */
  readonly into: string;
  /** Frames of an archive that are decompressed at the same time, and archives that are extracted so. */
  readonly workers: number;
  /** Of the server's very version: for the chain of an incremental backup. */
  readonly findServer: (serverMajor: number) => Promise<ClientPrograms>;
  /** Another copy is taken. */
  readonly onBadCopy: ExtractOptions['onBadCopy'];
  readonly signal: AbortSignal;
}

/** Where the files of tablespaces are, by oid. */
export type Tablespaces = Readonly<Record<string, string>>;

/** The places of tablespaces on the source may be taken here. */
export function spacesFolder(into: string): string {
  return `${into}.tablespaces`;
}

/** Where the links of a chain lie until they are put together. */
export function chainFolder(into: string): string {
  return `${into}.chain`;
}

/**
 * Makes the files of a physical backup in a folder, and those of its tablespaces beside it. An incremental one is put together by
 * PostgreSQL's own program from all that it builds on. With the `backup_manifest` that the result has to match.
 */
export async function layOutBase({ chain }: UsableBase, options: LayOutOptions): Promise<Tablespaces> {
  const { into } = options;
  const [full] = chain;
  if (chain.length === 1) return await extractLinks([{ link: full!, folder: into, spaces: spacesFolder(into) }], options);
  const places = chain.map((link, at) => {
    const folder = join(chainFolder(into), String(at));
    return { link, folder, spaces: spacesFolder(folder) };
  });
  // What a killed run left.
  await rm(chainFolder(into), { recursive: true, force: true });
  for (const { folder } of places) await mkdir(folder, { recursive: true, mode: 0o700 });
  const laidOut = await extractLinks(places, options);
  const spaces = await combine(places, laidOut, options);
  await rm(chainFolder(into), { recursive: true });
  return spaces;
}

interface Place {
  readonly link: StoredBaseBackup;
  readonly folder: string;
  readonly spaces: string;
}

/** Extracts the archives of all of them, several at a time. Returns the tablespaces of the last. */
async function extractLinks(places: readonly Place[], { workers, onBadCopy, signal }: LayOutOptions): Promise<Tablespaces> {
  const work: { readonly from: StoredBaseBackup; readonly archive: BaseArchive; readonly folder: string }[] = [];
  let spaces: Record<string, string> = {};
  for (const { link, folder, spaces: parent } of places) {
    spaces = Object.fromEntries(link.manifest.tablespaces.map(({ oid }) => [oid, join(parent, oid)]));
    for (const path of Object.values(spaces)) await mkdir(path, { recursive: true, mode: 0o700 });
    for (const archive of link.manifest.archives)
      work.push({ from: link, archive, folder: spaces[archive.name.split('.')[0]!] ?? folder });
  }
  const failing = new AbortController();
  const queue = work.values();
  const extract = async (): Promise<void> => {
    for (const { from, archive, folder } of queue) {
      const { manifest } = from;
      const both = AbortSignal.any([signal, failing.signal]);
      await extractArchive({ manifest, from: wholeTargets(from), archive, into: folder, workers, onBadCopy, signal: both });
    }
  };
  const failures: unknown[] = [];
  await Promise.all(
    Array.from({ length: Math.min(Math.max(workers, 1), work.length) }, async () =>
      extract().catch((error: unknown) => {
        failures.push(error);
        failing.abort(error);
      }),
    ),
  );
  signal.throwIfAborted();
  if (failures.length > 0) throw failures[0];
  for (const { link, folder, spaces: parent } of places) {
    for (const { oid } of link.manifest.tablespaces) {
      await rm(join(folder, 'pg_tblspc', oid), { force: true });
      await symlink(join(parent, oid), join(folder, 'pg_tblspc', oid));
    }
    await writeFile(
      join(folder, PG_MANIFEST),
      await readPgManifest({ manifest: link.manifest, from: wholeTargets(link), onBadCopy, signal }),
    );
  }
  return spaces;
}

async function combine(
  places: readonly Place[],
  laidOut: Tablespaces,
  { into, findServer, signal }: LayOutOptions,
): Promise<Tablespaces> {
  const { manifest } = places.at(-1)!.link;
  const programs = await findServer(Number.parseInt(manifest.serverVersion, 10));
  const spaces = Object.fromEntries(Object.keys(laidOut).map((oid) => [oid, join(spacesFolder(into), oid)]));
  const mapping = Object.entries(laidOut).flatMap(([oid, path]) => ['-T', `${escaped(path)}=${escaped(spaces[oid]!)}`]);
  const args = ['-o', into, '--manifest-checksums=CRC32C', '-N', ...mapping, ...places.map(({ folder }) => folder)];
  await runProgram(programs.path('pg_combinebackup'), args, { signal }).catch((error: unknown) => {
    if (signal.aborted || (error as { code?: string }).code !== 'CLIENT_PROGRAM_FAILED') throw error;
    const labels = places.map(({ link }) => link.manifest.label).join(', ');
    throw new BackupError('BACKUP_DAMAGED', `the physical backups ${labels} do not fit together: ${(error as Error).message}`, {
      cause: error,
      hint: 'Recover from an older backup. Nothing was kept of this attempt.',
    });
  });
  return spaces;
}

/** As the program wants them: in a path an equals sign divides nothing. */
function escaped(path: string): string {
  return path.replaceAll('=', '\\=');
}

/** Only backups that are whole somewhere are chosen. */
export function wholeTargets({ copies }: StoredBaseBackup): Storage[] {
  return copies.filter(({ state }) => state === 'whole').map(({ target }) => target);
}
