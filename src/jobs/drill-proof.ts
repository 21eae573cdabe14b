import type { CheckResult, Finding } from '../drill/check.ts';
import { checkEquality, type EqualityResult } from '../drill/equality.ts';
import { digestTables } from '../dump/digest-tables.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import type { TableProof } from '../report/drill-report.ts';
import type { BackupSource } from '../restore/backup-source.ts';
import { restoreDefinitions } from '../restore/restore-definitions.ts';
import type { RunContext } from '../restore/phases.ts';
import { worst } from './drill-record.ts';
import type { Restored, Stage } from './drill-restore.ts';
import { locateRows } from './locate-rows.ts';

export interface DrillEquality extends CheckResult {
  readonly tables: readonly TableProof[];
}

/** Makes the scratch database that the definitions of a restored one are compared with. */
export async function makeEmptyCopy(
  { chosen, server, programs, extensions }: Stage,
  context: RunContext,
): Promise<ConnectionOptions> {
  // The scratch database with the backup's own definitions and no rows.
  const database = `${server.prefix}definitions`;
  await restoreDefinitions(
    { source: sourceOf(chosen), connection: server.connection, programs },
    { database, extensions },
    context,
  );
  return { ...server.connection, database };
}

function sourceOf({ fetched, backup, manifest }: Stage['chosen']): BackupSource {
  return { copies: [fetched.storage], key: backup.key, manifest };
}

/** Compares every restored database with the manifest, and its definitions with those that the backup gives in an empty database. */
export async function proveEquality(
  { chosen, programs, workers, extensions }: Stage,
  restored: readonly Restored[],
  emptyCopy: ConnectionOptions,
  { signal }: RunContext,
  onProgress: ((bytes: number, total: number) => void) | undefined,
): Promise<DrillEquality> {
  const { manifest } = chosen;
  const results: EqualityResult[] = [];
  for (const { connection } of restored) {
    const digests = await digestTables({
      ...{ connection, tables: manifest.tables, encoding: manifest.database.encoding, workers, signal },
      ...(onProgress && { onProgress: ({ bytes, estimatedBytes }) => onProgress(bytes, estimatedBytes) }),
    });
    const locate = locateRows(sourceOf(chosen), connection, signal);
    results.push(
      await checkEquality({ manifest, connection, digests, programs, emptyCopy, locate, leftOut: extensions.leftOut, signal }),
    );
  }
  const tables = results[0]?.tables ?? [];
  return {
    verdict: worst(results.map(({ verdict }) => verdict)),
    findings: ofEachWay(restored, results),
    tables: tables.map(({ expected, found, ...table }) => ({
      ...table,
      expected: { rows: expected.rows, digest: expected.digest },
      ...(found && { found: { rows: found.rows, digest: found.digest } }),
    })),
  };
}

/** The findings about several databases; with more than one, each says which it is about. */
export function ofEachWay(restored: readonly Restored[], results: readonly CheckResult[]): Finding[] {
  return results.flatMap(({ findings }, at) =>
    findings.map((finding) =>
      results.length === 1 ? finding : { ...finding, object: `${finding.object} (${restored[at]!.way})` },
    ),
  );
}
