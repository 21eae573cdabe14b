import type { Manifest } from '../catalog/manifest.ts';
import { demandedLibrary, findExtensionFolders, hasLibrary } from '../postgres/extension-files.ts';
import type { Findings } from './check.ts';
import { extensionHint, preloadLibraryOf, quietSettings } from './known-extensions.ts';
import type { Client } from './session.ts';

type Extensions = Manifest['requires']['extensions'];

/** Extensions that a drill cannot create although they are installed: it makes several databases. */
const ONE_DATABASE: Readonly<Record<string, string>> = {
  // https://github.com/citusdata/pg_cron: cron.database_name
  pg_cron: 'it can be created in one database of a server only, and a drill compares several',
};

/**
 * Settings with which a server can create these extensions: the libraries to load at its start, as far as they are installed. What is not is
 * found by {@link checkExtensions}.
 */
export async function preloadSettings(
  extensions: Extensions,
  binDirectory: string,
  major: number,
): Promise<Readonly<Record<string, string>>> {
  const folders = await findExtensionFolders(binDirectory, major);
  if (folders === undefined) return {};
  const libraries: string[] = [];
  for (const { name } of extensions) {
    const library = preloadLibraryOf(name) ?? (await demandedLibrary(folders, name));
    if (library !== undefined && (await hasLibrary(folders, library))) libraries.push(library);
  }
  if (libraries.length === 0) return {};
  // Citus insists on being the first.
  libraries.sort((a, b) => Number(b === 'citus') - Number(a === 'citus'));
  return { ...quietSettings(libraries), shared_preload_libraries: libraries.join(',') };
}

/** Whether the server can create each extension in exactly the version that the backup has. Returns those that it cannot. */
export async function checkExtensions(
  client: Client,
  extensions: Extensions,
  major: number,
  allows: (object: string) => boolean,
  findings: Findings,
): Promise<void> {
  const { rows } = await client.query<{ name: string; version: string; standard: string | null }>(
    `SELECT v.name::text, v.version, e.default_version AS standard
       FROM pg_available_extension_versions v JOIN pg_available_extensions e ON e.name = v.name WHERE v.name = ANY ($1::text[])`,
    [extensions.map(({ name }) => name)],
  );
  for (const { name, version } of extensions) {
    const object = `extension ${name}`;
    const available = rows.filter((row) => row.name === name);
    const standard = available[0]?.standard ?? undefined;
    if (name in ONE_DATABASE && available.length > 0) {
      findings.unsure.push({
        object,
        message: ONE_DATABASE[name]!,
        hint: 'Restore such a backup by hand into a server that has it.',
      });
    }
    if (available.length === 0) {
      const message = `version ${version} is in the backup; the server programs of the drill have no ${name} at all`;
      (allows(object) ? findings.notes : findings.unsure).push({ object, message, hint: extensionHint(name, major) });
    } else if (!available.some((row) => row.version === version)) {
      const there = available.map((row) => row.version).join(', ');
      const message = `version ${version} is in the backup; the server programs of the drill have ${there}`;
      (allows(object) ? findings.notes : findings.unsure).push({ object, message, hint: extensionHint(name, major) });
    } else if (standard !== version) {
      const message = `version ${version} is in the backup; a restore takes what the server says is its standard, ${standard ?? 'none'}`;
      findings.notes.push({ object, message });
    }
  }
}
