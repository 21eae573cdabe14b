import { sizesByDump } from '../catalog/catalog.ts';
import { parseDumpName } from '../catalog/names.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import { listDatabases } from '../postgres/databases.ts';
import type { Storage } from '../storage/storage.ts';

export interface DiscoverParts {
  /** Configured name of the source that stands for the databases. */
  readonly source: string;
  readonly connection: ConnectionOptions;
  /** Names, where `*` stands for any characters and `?` for one. */
  readonly exclude: readonly string[];
  readonly targets: readonly Storage[];
  /** The name that the backups of a database have. */
  readonly nameOf: (database: string) => string;
}

export interface Discovery {
  /** To be backed up now. */
  readonly databases: readonly string[];
  /** Names of backups whose database is not there any more. They are kept. */
  readonly gone: readonly string[];
  /** What could not be asked for `gone`. */
  readonly warnings: readonly string[];
}

/** What a source that stands for every database of a server stands for now. Throws when the server cannot say, or has none. */
export async function discover(parts: DiscoverParts, signal: AbortSignal): Promise<Discovery> {
  const { source, connection, nameOf } = parts;
  const { open, all } = await listDatabases(connection, signal);
  const patterns = parts.exclude.map(patternOf);
  const databases = open.filter((name) => !patterns.some((pattern) => pattern.test(name)));
  if (databases.length === 0) {
    throw new BackupError(
      'SOURCE_DATABASE_MISSING',
      `${source} stands for every database of a server, and there is none to back up`,
      {
        hint: 'See what source.exclude leaves out, and whether the server is the right one.',
      },
    );
  }
  const warnings: string[] = [];
  const stored = new Set<string>();
  for (const target of parts.targets) {
    try {
      for (const key of (await sizesByDump(target, signal)).keys()) stored.add(parseDumpName(key)!.source);
    } catch (error) {
      signal.throwIfAborted();
      warnings.push(
        `${target.name} cannot tell whether it has backups of databases that are gone: ${toBackupError(error).message}`,
      );
    }
  }
  const there = new Set(all.map(nameOf));
  const gone = [...stored].filter((name) => name.startsWith(nameOf('')) && !there.has(name)).sort();
  return { databases, gone, warnings };
}

function patternOf(text: string): RegExp {
  const inner = text
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${inner}$`, 'su');
}
