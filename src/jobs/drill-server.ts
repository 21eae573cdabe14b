import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { readObject } from '../catalog/catalog.ts';
import { SIDE } from '../catalog/names.ts';
import { withClient } from '../postgres/connection.ts';
import type { DrillServer } from '../drill/preflight.ts';
import type { ChosenBackup } from './drill-fetch.ts';

const gunzipAll = promisify(gunzip);

/** What a server writes when it, and not what it was asked to restore, is in trouble. */
const TROUBLE = [
  /No space left on device|could not extend file/i,
  /was terminated by signal|out of memory|PANIC:|could not fork/i,
];

/** The SQL of roles and tablespaces; `undefined` when the backup has none, or a damaged one. */
export async function readGlobals({ fetched, backup }: ChosenBackup, signal: AbortSignal): Promise<string | undefined> {
  if (!fetched.hasGlobals) return undefined;
  return (await gunzipAll(await readObject(fetched.storage, backup.key + SIDE.globals, signal))).toString('utf8');
}

/** What a server that is not ours says when it does not let us do what a restore needs, or lacks something. */
const NOT_ALLOWED =
  /permission denied|must be (owner|superuser|member|able)|must have |shared_preload_libraries|could not create locale|extension control file/i;

/**
 * Why a server cannot be relied upon for a judgement: it is gone, or its log says that the machine failed it. `undefined` when
 * nothing speaks against it.
 */
export async function serverTrouble({ connection, logFile }: DrillServer, error: string): Promise<string | undefined> {
  const log = logFile === undefined ? '' : await readFile(logFile, 'utf8').catch(() => '');
  if (logFile === undefined && [...TROUBLE, NOT_ALLOWED].some((pattern) => pattern.test(error)))
    return 'the server of the drill (drill.target) could not do what a restore needs';
  const lines = log.split('\n');
  // The cause before what came of it: a full disk ends processes, too.
  const line = TROUBLE.map((pattern) => lines.find((each) => pattern.test(each))).find((each) => each !== undefined);
  if (line !== undefined) return `the throw-away server was in trouble: ${line.trim()}`;
  try {
    await withClient({ ...connection, connectTimeoutSeconds: 5 }, (client) => client.query('SELECT'));
    return undefined;
  } catch (error) {
    const tail = log.trimEnd().split('\n').slice(-3).join(' | ');
    const what = logFile === undefined ? 'the server of the drill' : 'the throw-away server';
    return `${what} is gone (${error instanceof Error ? error.message : String(error)})${tail === '' ? '' : `; its log ends with: ${tail}`}`;
  }
}
