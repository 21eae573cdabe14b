import type { MemberEntry, TableEntry } from '../catalog/manifest.ts';
import { loadTargetKey } from '../catalog/member-index.ts';
import type { Locate } from '../drill/compare-tables.ts';
import { describeDifference } from '../drill/describe-difference.ts';
import { findDifference, type RowSource } from '../drill/row-difference.ts';
import { readTableRows } from '../dump/read-rows.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import type { BackupSource } from '../restore/backup-source.ts';
import { readBackupRows } from '../restore/read-rows.ts';

/** For all tables together: that they differ is known already, and the phase that asks has a limit of its own. */
const LIMIT_MS = 5 * 60_000;

/** Looks for the rows in which tables of a restored database differ from a backup. Rejects when it would take too long. */
export function locateRows(source: BackupSource, connection: ConnectionOptions, stop: AbortSignal): Locate {
  const { manifest } = source;
  let signal: AbortSignal | undefined;
  return async (tables) => await locate(tables, (signal ??= AbortSignal.any([stop, AbortSignal.timeout(LIMIT_MS)])));

  async function locate(tables: readonly TableEntry[], signal: AbortSignal): Promise<string[]> {
    const target = loadTargetKey(tables[0]!);
    const belongs = manifest.tables.map((table) => loadTargetKey(table) === target);
    const backup: RowSource = {
      async read(take, only) {
        const blocks = only && blocksOf(manifest.members, only);
        await readBackupRows(
          source,
          (table, index) => belongs[table] === true && (blocks === undefined || blocks.has(index)),
          take,
          signal,
        );
      },
    };
    const table: RowSource = {
      read: async (take) =>
        await readTableRows({ connection, tables, encoding: manifest.database.encoding, signal }, (row) => take(row, -1)),
    };
    const difference = await findDifference(backup, table);
    return describeDifference(difference, tables[0]!.columns, {
      name: manifest.file.name,
      codec: manifest.codec.name,
      members: manifest.members,
      isOfTable: (table) => belongs[table] === true,
    });
  }
}

/** The first member of the COPY block of each. */
function blocksOf(members: readonly MemberEntry[], wanted: ReadonlySet<number>): ReadonlySet<number> {
  return new Set(
    [...wanted].map((index) => {
      let first = index;
      while (members[first - 1]?.continues) first -= 1;
      return first;
    }),
  );
}
