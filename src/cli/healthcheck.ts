import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import { loadConfigs, type LoadConfigOptions } from '../config.ts';
import { chooseSource, covers } from '../config/choose-source.ts';
import { absentAs, toBackupError } from '../errors.ts';
import { HEARTBEAT_FILE, parseStatus, STATUS_FILE } from '../report/source-status.ts';
import { staleSource } from '../report/status-verdict.ts';

const NO_FOLDER = 'without a backup directory, BACKUP_REPORT_DIR has to name a folder for status.json';
/** The daemon shows every ten seconds that it lives. */
const HEARTBEAT_MS = 60_000;

export interface HealthcheckOptions extends LoadConfigOptions {
  /** Only whether the daemon lives. */
  readonly live: boolean;
  readonly json: boolean;
  /** Only this source. */
  readonly source?: string | undefined;
  readonly print: (text: string) => void;
}

/**
 * For the health check of a container: 0 when every source is fresh (or, with `live`, when the daemon shows that it lives), otherwise 1.
 * Asks nobody: it reads the status file, and names in the folder of dumps. Imports little: it runs every half minute.
 */
export async function healthcheck({ live, json, print, ...options }: HealthcheckOptions): Promise<number> {
  const problems = await (live ? heartbeat(options) : freshness(options)).catch((error: unknown) => [
    toBackupError(error).message,
  ]);
  const healthy = problems.length === 0;
  print(json ? JSON.stringify({ healthy, problems }, null, 2) : healthy ? 'healthy' : problems.join('\n'));
  return healthy ? 0 : 1;
}

async function freshness({
  source: only,
  ...options
}: LoadConfigOptions & Pick<HealthcheckOptions, 'source'>): Promise<string[]> {
  const { shared, sources } = loadConfigs({ ...options, sourceRequired: false });
  if (shared.paths.status === undefined) return [NO_FOLDER];
  const text = await absentAs(undefined, readFile(join(shared.paths.status, STATUS_FILE), 'utf8'));
  const status = text === undefined ? undefined : parseStatus(text);
  const folders = new Map<string, readonly string[]>();
  const problems: string[] = [];
  for (const config of only === undefined ? sources : [chooseSource({ sources }, only)]) {
    const { source, targets } = config;
    const folder = targets.local && join(targets.local.directory, 'full');
    if (folder !== undefined && !folders.has(folder)) folders.set(folder, await absentAs([], readdir(folder)));
    const files = folder === undefined ? undefined : folders.get(folder);
    // Of every database of a server those that the daemon has found.
    const found = source.every ? Object.keys(status?.sources ?? {}).filter((name) => covers(config, name)) : [];
    for (const name of found.length > 0 ? found : [source.name]) {
      problems.push(...staleSource({ status, source: name, files, now: systemClock.now() }));
    }
  }
  return [...new Set(problems)];
}

async function heartbeat(options: LoadConfigOptions): Promise<string[]> {
  const { paths } = loadConfigs({ ...options, sourceRequired: false }).shared;
  if (paths.status === undefined) return [NO_FOLDER];
  const found = await absentAs(undefined, stat(join(paths.status, HEARTBEAT_FILE)));
  if (!found) return ['the daemon has not shown that it lives: it does not run, or cannot write beside the reports'];
  const age = systemClock.now().getTime() - found.mtimeMs;
  return Math.abs(age) <= HEARTBEAT_MS ? [] : [`the daemon last showed that it lives ${Math.round(age / 1000)} s ago`];
}
