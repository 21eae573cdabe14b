import { BackupError } from '../errors.ts';
import { dumpAt } from '../jobs/dump-at.ts';
import { openBackup } from '../restore/backup-source.ts';
import { restoreForeign } from '../restore/foreign-archive.ts';
import type { RunContext } from '../restore/phases.ts';
import { restoreTable } from '../restore/restore-table.ts';
import { restoreBackup, type RestoreResult } from '../restore/restore.ts';
import type { CommandContext } from './command.ts';
import { findDump, type Dump } from './find-dump.ts';
import { countText, secondsText } from '../quantities.ts';
import { recoverFrom, recoveryTarget } from './recover.ts';
import { reachServer } from './reach-server.ts';
import { factLines } from './table.ts';
import { parseTableName } from './table-name.ts';

export interface RestoreFlags {
  readonly replace?: boolean;
  readonly keepOnFailure?: boolean;
  readonly analyze?: boolean;
  readonly jobs?: number;
  readonly target?: string;
  readonly table?: string;
  readonly as?: string;
  readonly append?: boolean;
  readonly at?: string;
}

/** Restores a backup, a file of another tool, or one table, into a database beside; never over one that holds something. */
export async function restore(context: CommandContext, what: string, database: string, flags: RestoreFlags): Promise<number> {
  if (flags.at === undefined) {
    checkTable(what, database, flags);
    return await restoreDump(context, what, database, flags, () => findDump(context, what, flags.target));
  }
  if (database !== '') {
    throw new BackupError('USAGE', '--at makes a backup of its own: name only the database to restore into', {
      hint: `backup-manager restore --at ${flags.at} ${database}`,
    });
  }
  checkTable('', what, flags);
  const target = recoveryTarget({ to: flags.at });
  // A server that cannot be reached is not worth hours of recovery.
  await reachServer(context.parts.connection);
  const { parts, progress, note } = context;
  progress.phase('recover');
  const recovery = { ...recoverFrom(parts, flags.target), log: context.log };
  const then = await dumpAt({ recovery, dump: parts.dumping }, target, context);
  try {
    note(
      `Recovered to ${then.reached.lsn}; the last transaction in it ended at ${then.reached.lastTransaction ?? 'the time of the physical backup'}.`,
    );
    return await restoreDump(context, '', what, flags, async () => ({ kind: 'backup', ...then, warnings: [] }));
  } finally {
    await then.remove();
  }
}

function checkTable(what: string, database: string, flags: RestoreFlags): void {
  const { table, as, append, replace } = flags;
  for (const name of [table, as]) if (name !== undefined) parseTableName(name);
  if (table === undefined && (as !== undefined || append))
    throw new BackupError('USAGE', '--as and --append are for --table only');
  if (table !== undefined && replace)
    throw new BackupError('USAGE', '--replace is for whole databases: with --table, see --as and --append');
  if (table !== undefined && database === '') {
    const from = flags.at === undefined ? (what === '' ? 'latest' : what) : `--at ${flags.at}`;
    throw new BackupError('USAGE', 'one table is restored into a database that exists: name it', {
      hint: `backup-manager restore ${from} DB --table ${table}`,
    });
  }
}

async function restoreDump(
  context: CommandContext,
  what: string,
  database: string,
  flags: RestoreFlags,
  find: () => Promise<Dump>,
): Promise<number> {
  const { parts, config, progress, signal, log, clock, print, note } = context;
  const table = flags.table === undefined ? undefined : parseTableName(flags.table);
  const as = flags.as === undefined ? undefined : parseTableName(flags.as);
  const began = clock.monotonic();
  const dump = await find();
  const source = dump.kind === 'backup' ? await openBackup(dump.copies, dump.key, signal, dump.backup?.manifest) : undefined;
  const warnings = dump.kind === 'backup' ? dump.warnings : [];
  // Said before the work too: a restore of an older backup may not be worth its hours.
  for (const warning of warnings) note(`Warning: ${warning}`);
  const { connection, facts } = await reachServer(parts.connection);
  // An archive is read by the version of pg_restore that wrote it or a later one.
  const archiveMajor = source ? Number.parseInt(source.manifest.programs.pgDump, 10) : 0;
  const programs = await parts.findPrograms(Math.max(facts.major, archiveMajor));
  const name = database === '' ? `${source?.manifest.database.name ?? config.source.name}_restored` : database;
  const options = {
    database: name,
    replace: flags.replace ?? false,
    keepOnFailure: flags.keepOnFailure ?? false,
    analyze: flags.analyze ?? true,
    loaders: flags.jobs ?? config.restore.workers,
  };
  const run: RunContext = { signal, log, clock, onProgress: watch(context) };
  const input = { connection, programs, temporaryFolder: config.paths.work };
  let result: RestoreResult;
  if (!source) {
    if (table) throw new BackupError('USAGE', `${what} is not a backup with a manifest; one table alone cannot be taken from it`);
    result = await restoreForeign({ ...input, path: dump.kind === 'file' ? dump.path : what }, options, run);
  } else if (table) {
    const tableOptions = { database: name, table, ...(as && { as }), append: flags.append ?? false };
    result = await restoreTable({ ...input, source }, tableOptions, run);
  } else {
    result = await restoreBackup({ ...input, source }, options, run);
  }
  progress.end('done');
  const seconds = Math.round(clock.monotonic() - began) / 1000;
  const told = { ...result, warnings: [...warnings, ...result.warnings] };
  print({ ...told, seconds }, resultLines(told, seconds, flags.table));
  return 0;
}

/** Phases follow one another; within one, bytes are the better measure than rows. */
function watch({ progress }: CommandContext): NonNullable<RunContext['onProgress']> {
  let current: string | undefined;
  return ({ phase, bytes, totalBytes }) => {
    if (phase !== current) progress.phase(`restore: ${phase}`);
    current = phase;
    if (bytes !== undefined && totalBytes !== undefined) progress.progress(bytes, totalBytes);
  };
}

function resultLines(result: RestoreResult, seconds: number, table: string | undefined): string[] {
  const { database, label, proof, tables, rows, keptDatabase, warnings } = result;
  const counts: [string, string][] =
    proof === 'none'
      ? []
      : [
          ['tables', countText(tables)],
          ['rows', `${countText(rows)}, as many as the backup holds`],
        ];
  return [
    `${table === undefined ? label : `${table} of ${label}`} is restored into database ${JSON.stringify(database)}.`,
    ...factLines([
      ...counts,
      [
        'proof',
        proof === 'none' ? 'none: it ran without an error, nothing says what it should hold' : 'every checksum was right',
      ],
      ['duration', secondsText(seconds)],
      ...(keptDatabase === undefined
        ? []
        : ([['kept', `the database that was there is now ${JSON.stringify(keptDatabase)}`]] as const)),
      ...warnings.map((warning) => ['warning', warning] as const),
    ]),
  ];
}
