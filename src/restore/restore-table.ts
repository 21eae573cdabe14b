import type { Client } from 'pg';
import type { Manifest } from '../catalog/manifest.ts';
import { blocksOf } from '../catalog/member-index.ts';
import { BackupError, toBackupError } from '../errors.ts';
import { quoteIdentifier, type ConnectionOptions } from '../postgres/connection.ts';
import { runProgram } from '../postgres/run-program.ts';
import { copyRun, copyStatement, type CopyTarget } from './copy-run.ts';
import { fetchToc } from './fetch-toc.ts';
import { createMemberReader, type MemberReader, type ReadMember } from './member-reader.ts';
import { createPhaseRunner, type RunContext } from './phases.ts';
import { DEFAULT_MAINTENANCE_WORK_MEM, type RestoreInput, type RestoreResult } from './restore.ts';
import { runScript } from './run-sql.ts';
import { createRunQueue } from './runs.ts';
import { openLoader, withSession } from './session.ts';

export interface RestoreTableOptions {
  /** An existing database. */
  readonly database: string;
  readonly table: CopyTarget;
  /** Another name for it in the database: to look at old rows beside the present ones. */
  readonly as?: CopyTarget;
  /** Allow a table that has rows already; the backup's rows are added to them. */
  readonly append?: boolean;
}

/**
 * Restores the rows of one table from its members alone, in one transaction: all of them or none. The table may be there and empty
 * (its triggers, constraints and indexes then act as on any COPY). If it is not there, it is made: under its own name as the backup
 * defines it, under another name like the present table; columns, defaults and checks only, and the result says so.
 */
export async function restoreTable(
  input: RestoreInput,
  options: RestoreTableOptions,
  context: RunContext,
): Promise<RestoreResult> {
  const { source } = input;
  const { manifest } = source;
  const { signal } = context;
  const phases = createPhaseRunner(context);
  const tables = findTables(manifest, options.table);
  const into = options.as ?? options.table;
  const connection = { ...input.connection, database: options.database };
  const warnings: string[] = [];
  const reader = createMemberReader(source);

  const partitioned = tables.size > 1 || [...tables].some((at) => manifest.tables[at]?.name !== options.table.name);
  const made = await phases.run(
    'preflight',
    async () => await withSession(connection, (client) => prepare(client, options, into, partitioned)),
  );
  // Only what this run made may be dropped again; somebody else may make the table meanwhile.
  let ours = made === 'like-present';
  try {
    if (made === 'from-backup') {
      await phases.run('definition', () => createFromArchive(input, options, connection, warnings, signal));
      ours = true;
    }
    const rows = await phases.run(
      'rows',
      () => load(connection, manifest, tables, into, reader, options.append === true, context),
      (count) => ({ rows: count }),
    );
    if (made !== 'existing')
      warnings.push(
        `${nameOf(into)} was made with its columns, plain defaults and checks. Sequences, indexes, keys, triggers and privileges are left to you.`,
      );
    return {
      database: options.database,
      label: manifest.label,
      proof: 'checksums',
      tables: 1,
      rows,
      phases: phases.times,
      warnings: [...warnings, ...reader.warnings],
    };
  } catch (error) {
    throw ours ? await dropMade(connection, into, error) : error;
  }
}

/** Drops the table that this run made; the error to throw says so when that fails. */
async function dropMade(connection: ConnectionOptions, table: CopyTarget, cause: unknown): Promise<unknown> {
  const drop = `DROP TABLE IF EXISTS ${sqlName(table)}`;
  try {
    await withSession(connection, (client) => client.query(drop));
    return cause;
  } catch (error) {
    const { code, message } = toBackupError(cause);
    const why = error instanceof Error ? error.message : String(error);
    return new BackupError(
      code,
      `${message} The table ${nameOf(table)} that was made for it is still there, without rows: it could not be dropped (${why}).`,
      { cause, hint: `Drop it yourself before you try again: ${drop};` },
    );
  }
}

/** The entries of the table as indexes: one, or the partitions of a partitioned one, which has no rows of its own. */
function findTables(manifest: Manifest, { schema, name }: CopyTarget): ReadonlySet<number> {
  const is = (table: CopyTarget | undefined): boolean => table?.schema === schema && table.name === name;
  const found = manifest.tables.flatMap((table, index) => (is(table) || is(table.partitionOf) ? [index] : []));
  if (found.length > 0) return new Set(found);
  // Of a manifest that does not say which partitions there are in all; to load some and call it the table would be a lie.
  const partition = manifest.tables.find(({ loadInto }) => is(loadInto));
  if (partition) {
    throw new BackupError(
      'RESTORE_REFUSED',
      `${nameOf({ schema, name })} is partitioned: its rows are those of its partitions. Nothing was changed.`,
      {
        hint: `Restore them one by one, each through the table: --table ${nameOf(partition)} --as ${nameOf({ schema, name })} --append.`,
      },
    );
  }
  const alike = manifest.tables.filter((table) => table.name === name || table.name.includes(name)).slice(0, 5);
  throw new BackupError(
    'RESTORE_REFUSED',
    `${manifest.label} has no rows of a table ${nameOf({ schema, name })}. Nothing was changed.`,
    {
      hint: alike.length === 0 ? 'Give it as schema.name.' : `There are: ${alike.map(nameOf).join(', ')}.`,
    },
  );
}

async function prepare(
  client: Client,
  { as, table, append }: RestoreTableOptions,
  into: CopyTarget,
  partitioned: boolean,
): Promise<'existing' | 'like-present' | 'from-backup'> {
  if (await exists(client, into)) {
    const { rows } = await client.query<{ filled: boolean }>(`SELECT EXISTS (SELECT FROM ${sqlName(into)}) AS filled`);
    if (rows[0]?.filled && !append) throw hasRows(into);
    return 'existing';
  }
  if (!as && partitioned) {
    throw new BackupError(
      'RESTORE_REFUSED',
      `${nameOf(table)} is not in the database, and a partitioned table is not made with its partitions. Nothing was changed.`,
      {
        hint: 'Create it with its partitions first; or restore the whole backup under another name and take the table from there.',
      },
    );
  }
  if (!as) return 'from-backup';
  if (!(await exists(client, table))) {
    throw new BackupError(
      'RESTORE_REFUSED',
      `${nameOf(as)} cannot be made like ${nameOf(table)}, which is not in the database. Nothing was changed.`,
      {
        hint: `Leave the other name away, and the table is made as the backup defines it; or create ${nameOf(as)} yourself.`,
      },
    );
  }
  await client.query(
    `CREATE TABLE ${sqlName(as)} (LIKE ${sqlName(table)} INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS)`,
  );
  return 'like-present';
}

async function exists(client: Client, table: CopyTarget): Promise<boolean> {
  const { rows } = await client.query(
    'SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = $1 AND relname = $2',
    [table.schema, table.name],
  );
  return rows.length > 0;
}

async function createFromArchive(
  { source, programs, temporaryFolder }: RestoreInput,
  { table }: RestoreTableOptions,
  connection: ConnectionOptions,
  warnings: string[],
  signal: AbortSignal,
): Promise<void> {
  const toc = await fetchToc(source, temporaryFolder, signal);
  try {
    warnings.push(...toc.warnings);
    if (toc.path === undefined) {
      throw new BackupError(
        'RESTORE_REFUSED',
        `${nameOf(table)} is not in the database, and the .toc archive that defines it is lost.`,
        { hint: 'Create the table yourself, then try again.' },
      );
    }
    const script: Buffer[] = [];
    const args = [
      '-f',
      '-',
      '--section=pre-data',
      '-n',
      table.schema,
      '-t',
      table.name,
      '--no-owner',
      '--no-privileges',
      toc.path,
    ];
    await runProgram(programs.path('pg_restore'), args, {
      signal,
      name: 'pg_restore',
      stdout: (chunk) => void script.push(chunk),
    });
    // All or nothing: what fails half-way is not there, and what is there before is not ours.
    async function* text(): AsyncGenerator<Buffer> {
      yield Buffer.from('BEGIN;\n');
      yield* script;
      yield Buffer.from('\nCOMMIT;\n');
    }
    await runScript(
      { programs, connection, maintenanceWorkMem: DEFAULT_MAINTENANCE_WORK_MEM, signal },
      text(),
      `the definition of ${nameOf(table)}`,
    );
  } finally {
    await toc.dispose();
  }
}

async function load(
  connection: ConnectionOptions,
  manifest: Manifest,
  tables: ReadonlySet<number>,
  into: CopyTarget,
  reader: MemberReader,
  append: boolean,
  context: RunContext,
): Promise<number> {
  const { signal } = context;
  const client = await openLoader(connection);
  const onAbort = (): void => void client.connection.stream.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  let done = 0;
  try {
    await client.query('SET synchronous_commit = on');
    await client.query('BEGIN');
    await client.query(`LOCK TABLE ${sqlName(into)} IN SHARE ROW EXCLUSIVE MODE`);
    const { rows } = await client.query<{ filled: boolean }>(`SELECT EXISTS (SELECT FROM ${sqlName(into)}) AS filled`);
    if (rows[0]?.filled && !append) throw hasRows(into);
    const queue = createRunQueue(manifest, membersOf(manifest, tables, reader, signal), (table) => tables.has(table));
    for (let run = await queue.next(); run; run = await queue.next()) {
      done += await copyRun(client, copyStatement(manifest, manifest.tables[run.table]!, into), run);
      run.close();
      context.onProgress?.({ phase: 'rows', rows: done });
    }
    const expected = [...tables].reduce((sum, index) => sum + manifest.tables[index]!.rows, 0);
    if (done !== expected)
      throw new BackupError(
        'RESTORE_FAILED',
        `${nameOf(into)} got ${done} rows, the manifest says ${expected}. Nothing was kept of them.`,
      );
    await client.query('COMMIT');
    return done;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    // An open transaction ends with its connection.
    client.connection.stream.destroy();
  }
}

/** The members of some tables, each stretch of the file that holds nothing else in one reading. */
async function* membersOf(
  manifest: Manifest,
  tables: ReadonlySet<number>,
  reader: MemberReader,
  signal: AbortSignal,
): AsyncGenerator<ReadMember, void, void> {
  const wanted = (index: number): boolean => {
    const member = manifest.members[index];
    return member !== undefined && blocksOf(member).some(({ table }) => tables.has(table));
  };
  for (let from = 0; from < manifest.members.length; from += 1) {
    if (!wanted(from)) continue;
    let to = from + 1;
    while (wanted(to)) to += 1;
    yield* reader.read(from, to, signal);
    from = to;
  }
}

function hasRows(table: CopyTarget): BackupError {
  return new BackupError('RESTORE_REFUSED', `${nameOf(table)} has rows already. Nothing was changed.`, {
    hint: 'Empty it first (TRUNCATE), restore under another name to compare, or say that the rows are to be added.',
  });
}

function sqlName({ schema, name }: CopyTarget): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}

function nameOf({ schema, name }: CopyTarget): string {
  return `${schema}.${name}`;
}
