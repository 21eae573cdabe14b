import { statfs } from 'node:fs/promises';

import type { Manifest } from '../catalog/manifest.ts';
import { BackupError } from '../errors.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import { missingLocales } from '../postgres/locales.ts';
import { findPrograms, type ClientPrograms } from '../postgres/programs.ts';
import { readServerFacts } from '../postgres/server-facts.ts';
import { readMachine, tuneForLoading } from '../postgres/server-tuning.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../postgres/throw-away-server.ts';
import { noFindings, resultOf, type CheckResult, type Findings } from './check.ts';
import { checkCollations } from './collations.ts';
import { checkExtensions, preloadSettings, type ChosenExtensions } from './extensions.ts';
import { readGlobalRoles } from './global-roles.ts';
import { withSession } from './session.ts';
import { makeRoles, makeTablespaces } from './stand-ins.ts';
import { tryLocale } from './try-locale.ts';

export interface PreflightInput {
  readonly manifest: Manifest;
  /** SQL of roles and tablespaces; without it, roles have no memberships. */
  readonly globals?: string;
  /** Folders with PostgreSQL's programs, looked in before the usual places. */
  readonly directories: readonly string[];
  /** Objects, as findings name them, that the drill may do without: `extension pg_cron`. */
  readonly allowed: readonly string[];
  /** Where the server's folder is made. */
  readonly workFolder: string;
  readonly signal: AbortSignal;
}

/** Where a drill works: a throw-away server, or one that the user names. */
export interface DrillServer {
  /** To a database that nothing is done in, as a role that may make others. */
  readonly connection: ConnectionOptions;
  /** What the names of the drill's databases begin with. */
  readonly prefix: string;
  /** Of a server on this machine that is ours. */
  readonly logFile?: string;
  /** Only of a throw-away server. */
  readonly throwAway?: ThrowAwayServer;
  /** Removes all that the drill made. May be called more than once. */
  stop(): Promise<void>;
}

/** A server that the backup can be restored into. */
export interface ReadyServer {
  readonly server: DrillServer;
  /** As the server says it. */
  readonly serverVersion: string;
  readonly programs: ClientPrograms;
  /** For each session that builds indexes. */
  readonly maintenanceWorkMem: string;
  readonly extensions: ChosenExtensions;
}

export interface Preflight extends CheckResult {
  /** Only when the verdict is `passed`. The caller stops the server. */
  readonly ready?: ReadyServer;
}

/** What databases on a throw-away server begin with. */
const PREFIX = 'drill_';

/** Codes of errors that say that this machine lacks something. */
const LACKING: ReadonlySet<string> = new Set(['CLIENT_PROGRAM_MISSING', 'SERVER_START_FAILED', 'LOCALE_MISSING']);

/**
 * Makes a server that has all that the backup needs, or says what cannot be had: programs of the very version, locales, libraries to preload,
 * roles and tablespaces as inert stand-ins, extensions in their exact versions. What differs from the source without keeping anybody from
 * restoring is a finding of a pass. Throws only when aborted.
 */
export async function preflight(input: PreflightInput): Promise<Preflight> {
  const { manifest, signal } = input;
  const findings = noFindings();
  let started: Omit<ReadyServer, 'extensions'>;
  try {
    started = await startServer(input, findings);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof BackupError) || !LACKING.has(error.code)) throw error;
    findings.unsure.push({ object: objectOf(error), message: error.message, ...(error.hint && { hint: error.hint }) });
    return resultOf(findings);
  }
  const { server } = started;
  try {
    const extensions = await furnish(server.throwAway!, input, findings);
    await checkSpace(input.workFolder, manifest, findings);
    const result = resultOf(findings);
    if (result.verdict === 'passed') return { ...result, ready: { ...started, extensions } };
    await server.stop();
    return result;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function startServer(
  { manifest, directories, workFolder, signal }: PreflightInput,
  findings: Findings,
): Promise<Omit<ReadyServer, 'extensions'>> {
  const major = Math.floor(manifest.server.versionNum / 10_000);
  const { directory: binDirectory, version: serverVersion } = await findPrograms({
    serverMajor: major,
    directories,
    server: true,
  });
  // The archive beside the dump is read only by programs that are not older than the pg_dump that wrote it.
  const archive = Number.parseInt(manifest.programs.pgDump, 10) || major;
  const programs = await findPrograms({ serverMajor: Math.max(major, archive), directories: [binDirectory, ...directories] });
  const locales = localesOf(manifest);
  const missing = await missingLocales(locales, signal);
  const { settings, maintenanceWorkMem } = tuneForLoading(await readMachine());
  const throwAway = await startThrowAwayServer({
    binDirectory,
    parentFolder: workFolder,
    settings: { ...settings, ...(await preloadSettings(manifest.requires.extensions, binDirectory, major)) },
    // All or none: with locales of its own, the server does not see the machine's.
    locales: missing.length > 0 ? locales : [],
    signal,
  });
  for (const name of missing)
    findings.notes.push({
      object: `locale ${name}`,
      message: 'not on this machine: compiled for the drill from the sources of the C library',
    });
  const { connection, logFile } = throwAway;
  const server = { connection, logFile, throwAway, prefix: PREFIX, stop: () => throwAway.stop() };
  return { server, serverVersion, programs, maintenanceWorkMem };
}

/** The libc locales that the database was made with, those that are set in it, and those of single columns. */
function localesOf({ database, requires }: Manifest): string[] {
  const set = database.settings.filter(({ name }) => name.startsWith('lc_')).map(({ value }) => value);
  const single = (requires.collations ?? []).flatMap(({ collate, ctype }) => [collate, ctype]);
  return [database.collate, database.ctype, ...set, ...single].filter((name) => name !== '');
}

async function furnish(
  server: ThrowAwayServer,
  { manifest, globals, allowed, signal }: PreflightInput,
  findings: Findings,
): Promise<ChosenExtensions> {
  return await withSession(server.connection, signal, async (client) => {
    const { major, version } = await readServerFacts(client);
    if (version !== manifest.server.version)
      findings.notes.push({ object: 'server', message: `PostgreSQL ${version}; the source was ${manifest.server.version}` });
    await makeRoles(client, manifest, readGlobalRoles(globals ?? ''));
    if (globals === undefined)
      findings.notes.push({ object: 'roles', message: 'the backup has no file of roles: they are made without memberships' });
    await makeTablespaces(client, manifest, (name) => server.makeFolder(name));
    const extensions = await checkExtensions(client, manifest.requires.extensions, major, allowedBy(allowed), findings);
    await tryLocale(client, manifest.database, 'db_backup_preflight_', findings);
    await checkCollations(client, manifest, findings);
    return extensions;
  });
}

/** Whether an object, as a finding names it, is among those that a drill may do without. */
export function allowedBy(allowed: readonly string[]): (object: string) => boolean {
  return (object) => allowed.includes(object) || allowed.includes(object.replace(/^extension /, ''));
}

/** What bytea and TOAST make of the text is smaller, indexes and WAL come on top: below a third, it cannot be enough. */
async function checkSpace(folder: string, { file }: Manifest, findings: Findings): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= file.rawBytes / 3) return;
  findings.unsure.push({
    object: 'disk',
    message: `${folder} has ${Math.floor(free / 1e6)} MB free; the backup holds ${Math.ceil(file.rawBytes / 1e6)} MB of rows as text`,
    hint: 'Give the drill a folder with more room: BACKUP_WORK_DIR.',
  });
}

function objectOf({ code }: BackupError): string {
  return code === 'LOCALE_MISSING' ? 'locale' : code === 'CLIENT_PROGRAM_MISSING' ? 'programs' : 'server';
}
