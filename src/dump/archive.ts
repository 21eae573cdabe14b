import type { Omission, SequenceEntry } from '../catalog/manifest.ts';
import { BackupError } from '../errors.ts';
import { libpqEnvironment, type ConnectionOptions } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { runProgram } from '../postgres/run-program.ts';
import { excludePatterns } from './exclude-patterns.ts';
import type { Leader } from './leader.ts';
import { sourceError } from './source-error.ts';
import type { SourceTable } from './tables.ts';

/** Everything of the database but the rows that we copy: `pg_dump`'s own archive (the `.toc` beside a dump). */
export interface ArchiveResult {
  readonly warnings: readonly string[];
  readonly omitted: readonly Omission[];
  /** What `pg_restore --list` says of it. */
  readonly list: string;
}

export interface ArchiveOptions {
  readonly connection: ConnectionOptions;
  readonly programs: ClientPrograms;
  readonly leader: Leader;
  readonly lockTimeoutMs: number;
  readonly signal: AbortSignal;
  /** Where the archive is written. */
  readonly path: string;
}

/** Room for arguments: Linux gives them a quarter of the stack's limit (2 MiB by default), the environment included. */
const ARGUMENT_BYTES = 1_200_000;

/** Runs `pg_dump -Fc` in the leader's snapshot and makes sure that it and we together have every table's rows exactly once. */
export async function writeArchive(options: ArchiveOptions): Promise<ArchiveResult> {
  const { connection, programs, leader, lockTimeoutMs, signal, path } = options;
  const patterns = excludePatterns(leader.excluded, leader.encoding);
  const bytes = patterns.reduce((sum, pattern) => sum + Buffer.byteLength(pattern) + 32, 0);
  if (bytes > ARGUMENT_BYTES) {
    throw new BackupError(
      'SOURCE_FAILED',
      `the names of ${String(leader.excluded.length)} tables do not fit pg_dump's command line.`,
      {
        hint: 'Databases of this many tables are not supported yet; please report it with the number of tables.',
      },
    );
  }
  const args = [
    '--format=custom',
    '--compress=1',
    `--file=${path}`,
    `--snapshot=${leader.snapshot}`,
    `--lock-wait-timeout=${String(lockTimeoutMs)}`,
    `--encoding=${leader.encoding}`,
    '--no-password',
    ...(leader.largeObjects.unreadable > 0 ? ['--no-blobs'] : []),
    ...patterns.map((pattern) => `--exclude-table-data=${pattern}`),
  ];
  const env = { ...libpqEnvironment(connection), LC_ALL: 'C', PGAPPNAME: 'db-backup pg_dump' };
  let stderr: string;
  try {
    ({ stderr } = await runProgram(programs.path('pg_dump'), args, { env, signal, name: 'pg_dump' }));
  } catch (error) {
    throw archiveError(error);
  }
  const list = await listArchive(programs, path, signal);
  const entries = readEntries(list);
  assertEveryTableOnce(leader, entries);
  const { warnings, omitted } = readWarnings(stderr);
  return { warnings, omitted: [...omitted, ...sequencesWithoutValue(entries)], list };
}

function archiveError(error: unknown): unknown {
  if (!(error instanceof BackupError) || error.code !== 'CLIENT_PROGRAM_FAILED') return error;
  const { message } = error;
  const changed =
    /could not obtain lock|lock timeout|canceling statement due to lock|(relation|table|column|schema) .* does not exist|deadlock detected/.test(
      message,
    );
  if (changed || message.includes('conflict with recovery')) {
    return new BackupError('SOURCE_CHANGED', `another session locked or changed a table while pg_dump read it: ${message}`, {
      retryable: true,
      cause: error,
      hint: 'Nothing was kept of this attempt. If it happens every time, move the schedule away from migrations.',
    });
  }
  if (message.includes('permission denied')) {
    return new BackupError('SOURCE_PRIVILEGE', `pg_dump may not read what is to be dumped: ${message}`, {
      cause: error,
      hint: 'docs/least-privilege.md lists what the role needs.',
    });
  }
  return message.includes('out of shared memory')
    ? sourceError({ message, code: '53200', severity: 'ERROR' }, 'pg_dump read the catalog')
    : error;
}

/** One line of `pg_restore -l`: `214; 1259 16412 TABLE public orders postgres`. */
const LIST_LINE = /^\d+; \d+ (\d+) (TABLE DATA|TABLE|SEQUENCE SET|SEQUENCE OWNED BY|SEQUENCE) (.*)$/;

interface Entry {
  readonly oid: number;
  readonly kind: string;
  /** `schema name owner`. */
  readonly name: string;
}

function readEntries(list: string): Entry[] {
  return list.split('\n').flatMap((line) => {
    const [, oid, kind, name] = LIST_LINE.exec(line) ?? [];
    return kind === undefined ? [] : [{ oid: Number(oid), kind, name: name! }];
  });
}

/** On a standby `pg_dump` passes over the values of unlogged sequences without a word: a restored one would begin anew. */
function sequencesWithoutValue(entries: readonly Entry[]): Omission[] {
  const withValue = new Set(entries.filter(({ kind }) => kind === 'SEQUENCE SET').map(({ name }) => name));
  return entries
    .filter(({ kind, name }) => kind === 'SEQUENCE' && !withValue.has(name))
    .map(({ name }) => ({
      kind: 'object',
      object: `value of sequence ${name.split(' ').slice(0, -1).join('.')}`,
      reason: 'pg_dump left it out: an unlogged sequence has none on a standby',
    }));
}

/** `pg_dump` chose the tables by its own rules; a table that neither side copied, or both, must never pass. */
function assertEveryTableOnce(leader: Leader, entries: readonly Entry[]): void {
  const oidsOf = (wanted: string) => new Set(entries.filter(({ kind }) => kind === wanted).map(({ oid }) => oid));
  const defined = oidsOf('TABLE');
  const withRows = oidsOf('TABLE DATA');
  const ours = new Map<number, SourceTable>(leader.excluded.map((table) => [table.oid, table]));
  const twice = leader.excluded.filter((table) => withRows.has(table.oid)).map((table) => table.sqlName);
  const unknown = leader.excluded.filter((table) => !defined.has(table.oid)).map((table) => table.sqlName);
  const missing = leader.plainTables.filter((oid) => defined.has(oid) && !ours.has(oid) && !withRows.has(oid)).map(String);
  const problems = [
    ...(twice.length > 0 ? [`rows in both: ${twice.join(', ')}`] : []),
    ...(unknown.length > 0 ? [`not in pg_dump's archive: ${unknown.join(', ')}`] : []),
    ...(missing.length > 0 ? [`rows in neither, by oid: ${missing.join(', ')}`] : []),
  ];
  if (problems.length === 0) return;
  throw new BackupError(
    'SOURCE_FAILED',
    `pg_dump and we do not agree on the tables (${problems.join('; ')}): no backup was made.`,
    {
      hint: 'This is a defect of db-backup. Please report it with the output of `\\d` for these tables.',
    },
  );
}

async function listArchive(programs: ClientPrograms, path: string, signal: AbortSignal): Promise<string> {
  const parts: Buffer[] = [];
  await runProgram(programs.path('pg_restore'), ['--list', path], { signal, stdout: (chunk) => void parts.push(chunk) });
  return Buffer.concat(parts).toString('latin1');
}

/** Something was left out, by `pg_dump`'s own words. */
const LEFT_OUT = /not dumped|skipp|omitt|ignor|could not|unable to|invalid/i;

function readWarnings(stderr: string): Omit<ArchiveResult, 'list'> {
  const warnings = stderr
    .split(/\n(?=pg_dump: )/)
    .map((text) => text.trim().replace(/^pg_dump: (warning: )?/, ''))
    .filter((text) => text !== '');
  const omitted = warnings
    .filter((text) => LEFT_OUT.test(text))
    .map((text): Omission => ({ kind: 'object', object: text.split('\n')[0]!, reason: 'pg_dump left it out' }));
  return { warnings, omitted };
}

/** Gives a section of the archive as SQL to `take`, as `pg_restore` writes it. */
export async function readSections(
  { programs, signal, path }: Pick<ArchiveOptions, 'programs' | 'signal' | 'path'>,
  sections: readonly ('pre-data' | 'data' | 'post-data')[],
  take: (chunk: Buffer) => void | Promise<void>,
): Promise<void> {
  const args = ['--file=-', ...sections.map((section) => `--section=${section}`), path];
  await runProgram(programs.path('pg_restore'), args, { signal, stdout: take, name: 'pg_restore' });
}

const SETVAL = /^SELECT pg_catalog\.setval\('((?:[^']|'')*)', (-?\d+), (true|false)\);$/gm;

/** The values of the sequences as the archive holds them: the very ones that a restore sets. */
export async function readSequences(
  { programs, leader, signal, path }: ArchiveOptions,
  archive: Pick<ArchiveResult, 'list'>,
): Promise<SequenceEntry[]> {
  const list = archive.list.split('\n').filter((line) => LIST_LINE.exec(line)?.[2] === 'SEQUENCE SET');
  if (list.length === 0) return [];
  const parts: Buffer[] = [];
  const stdin = (async function* () {
    yield Buffer.from(`${list.join('\n')}\n`, 'latin1');
  })();
  // pg_restore opens the list as a file, and there may be no room for one; Node's own pipes are sockets, which cannot be opened.
  const command = ['-c', 'cat | "$@"', 'sh', programs.path('pg_restore'), '--file=-', '--use-list=/dev/stdin', path];
  await runProgram('/bin/sh', command, { signal, stdin, stdout: (chunk) => void parts.push(chunk), name: 'pg_restore' });
  // Bytes as latin1: names are compared in the database's encoding, whatever that is.
  const names = new Map(
    leader.sequences.map((sequence) => [
      `${sequence.schemaBytes.toString('latin1')}\n${sequence.nameBytes.toString('latin1')}`,
      sequence,
    ]),
  );
  const script = Buffer.concat(parts).toString('latin1');
  // pg_dump takes this over from the database, and then doubles backslashes.
  const doubled = script.includes('\nSET standard_conforming_strings = off;\n');
  const values = [...script.matchAll(SETVAL)].flatMap(([, literal, lastValue, isCalled]) => {
    const name = literal!.replaceAll("''", "'").replaceAll(doubled ? '\\\\' : '\\', '\\');
    const sequence = names.get(splitQualified(name).join('\n'));
    if (!sequence) return [];
    return [{ schema: sequence.schema, name: sequence.name, lastValue: lastValue!, isCalled: isCalled === 'true' }];
  });
  if (values.length !== list.length) {
    throw new BackupError(
      'SOURCE_FAILED',
      'the values of the sequences in the archive of pg_dump cannot be read: no backup was made.',
      {
        hint: 'This is a defect of db-backup. Please report it with the output of pg_restore -l for the SEQUENCE SET entries.',
      },
    );
  }
  return values;
}

/** `public."Odd ""name"` as `['public', 'Odd "name']`. */
function splitQualified(text: string): string[] {
  return Array.from(text.matchAll(/"((?:[^"]|"")*)"|[^."]+/g), ([plain, quoted]) => quoted?.replaceAll('""', '"') ?? plain);
}
