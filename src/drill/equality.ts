import type { Manifest } from '../catalog/manifest.ts';
import type { TableDigest } from '../catalog/table-digest.ts';
import { BackupError } from '../errors.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { noFindings, resultOf, type CheckResult } from './check.ts';
import { compareProperties } from './compare-properties.ts';
import { compareLargeObjects, compareOtherTables, compareSequences } from './compare-rest.ts';
import { compareSchema } from './compare-schema.ts';
import { compareTables, type Locate, type TableComparison } from './compare-tables.ts';
import { readSchema } from './schema-text.ts';
import { isStatementError, type Databases } from './session.ts';

export interface EqualityInput {
  readonly manifest: Manifest;
  /** The restored database. */
  readonly connection: ConnectionOptions;
  /** Of the manifest's tables in the restored database. */
  readonly digests: readonly TableDigest[];
  /** Of the server's version. */
  readonly programs: ClientPrograms;
  /** A scratch database into which the backup's own head and tail were loaded, without the rows between them. */
  readonly emptyCopy: ConnectionOptions;
  /** Whether the database's own properties are compared as well; true by default. A script that psql ran does not set them. */
  readonly properties?: boolean;
  /** Extensions that the restore left out: what is theirs is in neither database. */
  readonly leftOut?: readonly string[];
  /** Looks for the rows that differ; without it only the table is named. */
  readonly locate?: Locate;
  readonly signal: AbortSignal;
}

export interface EqualityResult extends CheckResult {
  /** One for each table of the manifest; partitions that are loaded through their root are one with it. */
  readonly tables: readonly TableComparison[];
}

/**
 * Compares a restored database with what the manifest says of the source at the backup's snapshot: every table by number of rows
 * and digest, every sequence, the number of large objects, and the database's properties. What a manifest does not hold (the
 * definitions, rows of configuration tables of extensions, content of large objects) is compared with what the backup's own script gives in an empty database, since `pg_dump`'s text is not stable over a round trip.
 * Rows are never shown: they may be anybody's personal data.
 */
export async function checkEquality(input: EqualityInput): Promise<EqualityResult> {
  const { manifest, connection, programs, emptyCopy, signal } = input;
  const findings = noFindings();
  const databases: Databases = { emptyCopy, restored: connection, signal };
  const { encoding } = manifest.database;

  const tables = await compareTables(manifest, input.digests, input.locate, findings);
  const compare = async (object: string, work: () => Promise<void>): Promise<void> => {
    signal.throwIfAborted();
    try {
      await work();
    } catch (error) {
      signal.throwIfAborted();
      const program = error instanceof BackupError && error.code === 'CLIENT_PROGRAM_FAILED';
      if (!program && !isStatementError(error)) throw error;
      findings.unsure.push({
        object,
        message: `could not be compared: ${error.message}`,
        ...(program && error.hint !== undefined && { hint: error.hint }),
      });
    }
  };
  await compare('definitions', async () => {
    const [should, is] = await Promise.all(
      [emptyCopy, connection].map(async (database) => await readSchema(programs, database, encoding, signal)),
    );
    findings.failed.push(...compareSchema(should!, is!));
  });
  await compare('sequences', async () => await compareSequences(manifest, databases, findings, (input.leftOut ?? []).length > 0));
  await compare('other tables', async () => await compareOtherTables(manifest, databases, findings));
  await compare('large objects', async () => await compareLargeObjects(manifest, databases, findings));
  if (input.properties !== false)
    await compare('database', async () => await compareProperties(manifest, connection, findings, signal));
  return { ...resultOf(findings), tables };
}
