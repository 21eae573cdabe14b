import type { Parts } from '../assemble.ts';
import { discoverDatabases } from '../assemble/schedule.ts';
import { configOfDatabase } from '../config/choose-source.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { CommandContext } from './command.ts';
import { errorBlock } from './error-block.ts';

/** What was done for one source, and how it is told. */
export interface Done {
  readonly value: object;
  readonly lines: readonly string[];
  readonly exitStatus: number;
  /** Says what a person should know beside it. */
  readonly tell: () => void;
}

export interface Found {
  /** Each is one database. */
  readonly sources: readonly Parts[];
  /** Databases that are not there any more, by the names of their backups. */
  readonly gone: readonly string[];
  /** What stands for every database of a server that cannot say which. */
  readonly failures: readonly { readonly source: string; readonly error: BackupError }[];
}

/** What was asked for, database by database, as the servers have them now. */
export async function findSources({ program, chosen, signal }: CommandContext): Promise<Found> {
  const sources: Parts[] = [];
  const gone: string[] = [];
  const failures: { source: string; error: BackupError }[] = [];
  for (const parts of chosen) {
    const { config } = parts;
    if (!config.source.every) {
      sources.push(parts);
      continue;
    }
    try {
      const found = await discoverDatabases(parts, signal);
      sources.push(...found.databases.map((database) => program.of(configOfDatabase(config, database))));
      gone.push(...found.gone);
    } catch (error) {
      signal.throwIfAborted();
      failures.push({ source: config.source.name, error: toBackupError(error) });
    }
  }
  return { sources, gone, failures };
}

/** Whether there is but one database, which nothing has to be told apart from. */
export function isOne({ chosen }: CommandContext): boolean {
  return chosen.length === 1 && !chosen[0]!.config.source.every;
}

/**
 * Does the same for each source that was asked for, one after the other, and tells each as it is done. One that fails stops no other;
 * the exit status is that of the worst. With `--json`, several are a list under `key`.
 */
export async function forEachSource(
  context: CommandContext,
  key: string,
  run: (context: CommandContext) => Promise<Done>,
): Promise<number> {
  const { print, note, signal } = context;
  if (isOne(context)) {
    const { value, lines, exitStatus, tell } = await run(context);
    print(value, lines);
    tell();
    return exitStatus;
  }
  const { sources, gone, failures } = await findSources(context);
  const values: object[] = [];
  const statuses = failures.map(({ error }) => error.exitStatus);
  const errors = failures.map(({ source, error: { code, message } }) => ({ source, code, message }));
  const document = () => ({ [key]: values, ...(gone.length > 0 && { gone }), ...(errors.length > 0 && { failures: errors }) });
  for (const parts of sources) {
    signal.throwIfAborted();
    const { value, lines, exitStatus, tell } = await run({ ...context, parts, config: parts.config });
    values.push(value);
    statuses.push(exitStatus);
    print(document(), [`${parts.config.source.name}:`, ...lines.map((text) => `  ${text}`.trimEnd()), '']);
    tell();
  }
  const bad = statuses.filter((status) => status !== 0).length;
  const all = sources.length + failures.length;
  print(document(), [
    ...gone.map((name) => `${name}: its database is no longer there; its backups are kept.`),
    bad === 0 ? `All ${all} are done.` : `${bad} of ${all} did not end well.`,
  ]);
  for (const { source, error } of failures) note(errorBlock(error, { title: `Error: ${source}` }));
  return worstOf(statuses);
}

const INCOMPLETE = new BackupError('BACKUP_INCOMPLETE', '').exitStatus;

/** Of several exit statuses: the first of a failure, or else that of something incomplete. */
export function worstOf(statuses: readonly number[]): number {
  return statuses.find((status) => status !== 0 && status !== INCOMPLETE) ?? statuses.find((status) => status !== 0) ?? 0;
}
