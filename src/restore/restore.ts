import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import type { Manifest } from '../catalog/manifest.ts';
import type { MemberKind } from '../codec/member.ts';
import { BackupError } from '../errors.ts';
import { withClient, type ConnectionOptions } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import type { BackupSource } from './backup-source.ts';
import { inspectTarget, restoreBeside, type BesideOptions, type RestoreTarget } from './beside.ts';
import { decodeInBackground } from './decode.ts';
import { describeMember } from './describe-member.ts';
import { NO_CHOICE, scriptFilter, type ExtensionChoice } from './extension-choice.ts';
import { fetchToc } from './fetch-toc.ts';
import { loadRows } from './load-rows.ts';
import { createMemberReader, type MemberReader, type ReadMember } from './member-reader.ts';
import { createPhaseRunner, type PhaseTime, type RunContext } from './phases.ts';
import { restoreAfterRows, runScript, type ProgramTarget } from './run-sql.ts';
import { checkServer } from './server-check.ts';
import { gatherStatistics } from './statistics.ts';

/** What is restored, with what, and where to. */
export interface RestoreInput {
  readonly source: BackupSource;
  /** To any database of the target server, as a role that may create databases. */
  readonly connection: ConnectionOptions;
  readonly programs: ClientPrograms;
  /** For the `.toc` archive, while the restore runs. */
  readonly temporaryFolder: string;
}

export interface RestoreOptions extends BesideOptions {
  /** Connections that load rows and build indexes at the same time; as many as there are processors, up to 8, by default. */
  readonly loaders?: number;
  /** Gather the planner's statistics at the end; true by default. */
  readonly analyze?: boolean;
  /** `maintenance_work_mem` of each session that builds indexes; `256MB` by default. */
  readonly maintenanceWorkMem?: string;
  /** By default every extension is created in the server's default version, and one that it lacks is a problem. */
  readonly extensions?: ExtensionChoice;
}

export interface RestoreResult {
  readonly database: string;
  /** Of the backup; the file's path for a foreign one. */
  readonly label: string;
  /**
   * `checksums`: every byte had the SHA-256 of the manifest and every table the number of rows it had. `none`: a foreign file, which
   * says nothing of what it should hold.
   */
  readonly proof: 'checksums' | 'none';
  readonly tables: number;
  readonly rows: number;
  readonly phases: readonly PhaseTime[];
  /** Name of the replaced database, which is kept. Drop it when it is no longer needed. */
  readonly keptDatabase?: string;
  readonly warnings: readonly string[];
}

/** Each loader holds up to two blocks of rows: a bound on memory, not on what the server could take. */
export const MOST_LOADERS = 8;

export const DEFAULT_MAINTENANCE_WORK_MEM = '256MB';

/**
 * Restores a backup into a database. It becomes visible under its name only when everything has succeeded; on failure nothing is
 * changed. Throws `RESTORE_REFUSED` and `RESTORE_PREFLIGHT` (all that is missing at once) before anything is written, `BACKUP_DAMAGED`,
 * `RESTORE_FAILED`, `ABORTED`.
 */
export async function restoreBackup(input: RestoreInput, options: RestoreOptions, context: RunContext): Promise<RestoreResult> {
  const { source, programs } = input;
  const { manifest } = source;
  const { signal } = context;
  const phases = createPhaseRunner(context);
  const loaders = options.loaders ?? Math.min(availableParallelism(), MOST_LOADERS);
  const maintenanceWorkMem = options.maintenanceWorkMem ?? DEFAULT_MAINTENANCE_WORK_MEM;
  const warnings = manifest.omitted.map(({ object, reason }) => `Not in the backup: ${object} (${reason}).`);

  const target = await phases.run('preflight', () => inspectTarget(input.connection, options));
  const choice = options.extensions ?? NO_CHOICE;
  const filter = scriptFilter(choice);
  warnings.push(...(await checkBeforehand(input, target, choice)));
  const toc = await fetchToc(source, input.temporaryFolder, signal);
  warnings.push(...toc.warnings);
  const reader = createMemberReader(source);
  const sections = sectionsOf(manifest);

  try {
    const result = await restoreBeside(target, options, manifest.database, { ...context, phases }, async (connection) => {
      const program: ProgramTarget = { programs, connection, maintenanceWorkMem, signal };
      const script = (kind: MemberKind): AsyncIterable<Uint8Array> => {
        return filter(compatible(decodeAll(manifest, reader.read(...sections[kind], signal)), manifest, target));
      };
      await phases.run('definitions', () => runScript(program, script('head'), 'the definitions'));
      const rows = await phases.run(
        'rows',
        () =>
          loadRows(manifest, watch(reader.read(...sections.chunk, signal), manifest, context), connection, {
            loaders,
            signal,
            ...reportRows(context),
          }),
        (count) => ({ rows: count, bytes: manifest.file.rawBytes }),
      );
      await phases.run('indexes and constraints', async () => {
        // The archive's list does not tell what belongs to an extension that is left out.
        if (toc.path !== undefined && canUseArchive(programs, target) && choice.leftOut.length === 0) {
          await checkRest(reader, sections.tail, signal);
          await restoreAfterRows(program, toc.path, loaders, dirname(toc.path));
        } else {
          await runScript(program, script('tail'), 'what comes after the rows');
          reader.checkFile();
        }
      });
      if (options.analyze !== false)
        warnings.push(...(await phases.run('statistics', () => gatherStatistics(connection, loaders, signal))));
      return rows;
    });
    const { filled, keptDatabase } = result;
    return {
      database: options.database,
      label: manifest.label,
      proof: 'checksums',
      tables: manifest.tables.length,
      rows: filled,
      phases: phases.times,
      ...(keptDatabase === undefined ? {} : { keptDatabase }),
      warnings: [...warnings, ...reader.warnings, ...result.warnings],
    };
  } finally {
    await toc.dispose();
  }
}

/** Throws `RESTORE_PREFLIGHT` with everything that is missing; returns warnings. */
async function checkBeforehand(
  { source, programs, temporaryFolder }: RestoreInput,
  target: RestoreTarget,
  extensions: ExtensionChoice,
): Promise<string[]> {
  const { connection, serverVersion, existing } = target;
  const { manifest } = source;
  const properties = existing?.properties ?? manifest.database;
  const check = { manifest, properties, connection, serverVersion, programs, temporaryFolder, extensions };
  const { problems, warnings } = await withClient(connection, (client) => checkServer(client, check));
  if (problems.length === 0) return warnings;
  throw new BackupError(
    'RESTORE_PREFLIGHT',
    `${manifest.label} cannot be restored into this server:\n${problems.map((each) => `- ${each}`).join('\n')}\nNothing was changed.`,
    {
      hint: 'Provide what is missing, then try again.',
    },
  );
}

/** First member of each kind and the one behind its last. */
function sectionsOf({ members }: Manifest): Record<MemberKind, readonly [number, number]> {
  const chunks = members.findIndex(({ kind }) => kind !== 'head');
  const tail = members.findIndex(({ kind }) => kind === 'tail');
  return { head: [0, chunks], chunk: [chunks, tail], tail: [tail, members.length] };
}

async function* decodeAll(manifest: Manifest, members: AsyncIterable<ReadMember>): AsyncGenerator<Buffer, void, void> {
  for await (const { index, bytes } of members)
    yield await decodeInBackground(manifest.codec.name, bytes, describeMember(manifest, index));
}

/** pg_dump 17 and later set a parameter that older servers do not know; it changes nothing in a restore. */
async function* compatible(
  script: AsyncIterable<Buffer>,
  manifest: Manifest,
  { serverVersion }: RestoreTarget,
): AsyncGenerator<Buffer, void, void> {
  const unknown = Buffer.from('\nSET transaction_timeout = 0;\n');
  let first = serverVersion < 170000 && Number.parseInt(manifest.programs.pgDump, 10) >= 17;
  for await (const part of script) {
    const at = first ? part.indexOf(unknown) : -1;
    first = false;
    yield at === -1 ? part : Buffer.concat([part.subarray(0, at), part.subarray(at + unknown.length - 1)]);
  }
}

function canUseArchive(programs: ClientPrograms, { serverVersion }: RestoreTarget): boolean {
  return programs.major < 17 || serverVersion >= 170000;
}

/** Reads what pg_restore takes from the archive instead, so that the whole file has been checked before the restore counts. */
async function checkRest(reader: MemberReader, tail: readonly [number, number], signal: AbortSignal): Promise<void> {
  const members = reader.read(...tail, signal);
  while (!(await members.next()).done);
  reader.checkFile();
}

async function* watch(
  members: AsyncGenerator<ReadMember, void, void>,
  manifest: Manifest,
  { onProgress }: RunContext,
): AsyncGenerator<ReadMember, void, void> {
  for await (const member of members) {
    onProgress?.({ phase: 'rows', bytes: member.entry.offset, totalBytes: manifest.file.bytes });
    yield member;
  }
}

function reportRows({ onProgress }: RunContext): { onRows?: (rows: number) => void } {
  if (!onProgress) return {};
  let total = 0;
  return {
    onRows(rows) {
      total += rows;
      onProgress({ phase: 'rows', rows: total });
    },
  };
}
