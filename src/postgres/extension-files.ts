import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Where an installation of PostgreSQL keeps what its extensions consist of. */
export interface ExtensionFolders {
  /** `pg_config --sharedir` */
  readonly share: string;
  /** `$libdir` */
  readonly library: string;
}

/** What must be loaded at the start says so in the message for when it was not. */
const DEMAND = /(?:must|can only|has to|needs to) be (?:pre)?loaded (?:via|through|by|with|using) \\?"?shared_preload_libraries/i;

/** Relative to the folder of the programs, as packages lay them out. `undefined` when they are nowhere there. */
export async function findExtensionFolders(binDirectory: string, major: number): Promise<ExtensionFolders | undefined> {
  const share = await firstWith('postgres.bki', binDirectory, [
    '../share',
    '../share/postgresql',
    `../../../../share/postgresql/${major}`,
    '../share/pgsql',
  ]);
  const library = await firstWith('plpgsql.so', binDirectory, [
    '../lib',
    '../lib/postgresql',
    '../lib64/pgsql',
    '../lib/pgsql',
    `../lib/postgresql/${major}`,
  ]);
  return share === undefined || library === undefined ? undefined : { share, library };
}

async function firstWith(file: string, binDirectory: string, candidates: readonly string[]): Promise<string | undefined> {
  for (const candidate of candidates) {
    const folder = join(binDirectory, candidate);
    if (await isThere(join(folder, file))) return folder;
  }
  return undefined;
}

/** Whether the library of this name is there to be preloaded. */
export async function hasLibrary({ library }: ExtensionFolders, name: string): Promise<boolean> {
  return await isThere(join(library, `${name}.so`));
}

/** The library of an extension when it demands to be preloaded; `undefined` when it does not, or there is none. */
export async function demandedLibrary(folders: ExtensionFolders, extension: string): Promise<string | undefined> {
  const control = await readFile(join(folders.share, 'extension', `${extension}.control`), 'utf8').catch(() => '');
  const path = /^\s*module_pathname\s*=\s*'([^']*)'/m.exec(control)?.[1] ?? `$libdir/${extension}`;
  const library = path.replace(/^\$libdir\//, '');
  if (library.includes('/')) return undefined;
  const code = await readFile(join(folders.library, `${library}.so`), 'latin1').catch(() => '');
  return DEMAND.test(code) ? library : undefined;
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
