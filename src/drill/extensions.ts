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

/**
 * Settings for a copy of a server that loads these libraries at its start: those without which something would not work, as far as they are
 * installed here. `left`: those that are not loaded.
 */
export async function preloadAgain(
  libraries: readonly string[],
  binDirectory: string,
  major: number,
): Promise<{ readonly settings: Readonly<Record<string, string>>; readonly left: readonly string[] }> {
  const folders = libraries.length === 0 ? undefined : await findExtensionFolders(binDirectory, major);
  const loaded: string[] = [];
  for (const name of folders ? libraries : []) {
    const isNeeded = preloadLibraryOf(name) !== undefined || (await demandedLibrary(folders!, name)) !== undefined;
    if (isNeeded && (await hasLibrary(folders!, name))) loaded.push(name);
  }
  return {
    settings: loaded.length === 0 ? {} : { ...quietSettings(loaded), shared_preload_libraries: loaded.join(',') },
    left: libraries.filter((name) => !loaded.includes(name)),
  };
}

/** What a restore is to make of the backup's extensions here. */
export interface ChosenExtensions {
  /** Not created, as the user allows. */
  readonly leftOut: string[];
  /** The backup's version where it is not the server's default one. */
  readonly versions: Record<string, string>;
  /** Created in the server's default version, as the user allows. */
  readonly otherVersion: string[];
}

/** Whether the server can create each extension in exactly the version that the backup has, and what is to be done where it cannot. */
export async function checkExtensions(
  client: Client,
  extensions: Extensions,
  major: number,
  allows: (object: string) => boolean,
  findings: Findings,
): Promise<ChosenExtensions> {
  const chosen: ChosenExtensions = { leftOut: [], versions: {}, otherVersion: [] };
  const leaveOut = (object: string, name: string, why: string): void => {
    chosen.leftOut.push(name);
    findings.notes.push({ object, message: `${why}; it is left out, as drill.allowed says` });
  };
  const { rows } = await client.query<{ name: string; version: string; standard: string | null }>(
    `SELECT v.name::text, v.version, e.default_version AS standard
       FROM pg_available_extension_versions v JOIN pg_available_extensions e ON e.name = v.name WHERE v.name = ANY ($1::text[])`,
    [extensions.map(({ name }) => name)],
  );
  for (const { name, version } of extensions) {
    const object = `extension ${name}`;
    const available = rows.filter((row) => row.name === name);
    const standard = available[0]?.standard ?? undefined;
    if (available.length === 0) {
      const message = `version ${version} is in the backup; the server of the drill has no ${name} at all`;
      if (allows(object)) leaveOut(object, name, message);
      else findings.unsure.push({ object, message, hint: extensionHint(name, major) });
    } else if (name in ONE_DATABASE) {
      if (allows(object)) leaveOut(object, name, ONE_DATABASE[name]!);
      else {
        const hint = `Name it in drill.allowed (DRILL_ALLOWED): the drill then leaves it out. Or restore such a backup by hand into a server that has it.`;
        findings.unsure.push({ object, message: ONE_DATABASE[name]!, hint });
      }
    } else if (!available.some((row) => row.version === version)) {
      const there = available.map((row) => row.version).join(', ');
      const message = `version ${version} is in the backup; the server of the drill has ${there}`;
      if (allows(object)) chosen.otherVersion.push(name);
      (allows(object) ? findings.notes : findings.unsure).push({ object, message, hint: extensionHint(name, major) });
    } else if (standard !== version) {
      chosen.versions[name] = version;
      const message = `created in version ${version}, as the backup has it; a restore by hand takes the server's standard, ${standard ?? 'none'}`;
      findings.notes.push({ object, message });
    }
  }
  return chosen;
}
