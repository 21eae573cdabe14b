import type { CheckResult, Finding } from '../drill/check.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import type { DrillServer } from '../drill/preflight.ts';
import type { RestoreReport, TrendPoint } from '../report/drill-report.ts';
import type { ExtensionChoice } from '../restore/extension-choice.ts';
import { restorePlain } from '../restore/restore-plain.ts';
import { restoreBackup } from '../restore/restore.ts';
import type { RunContext } from '../restore/phases.ts';
import type { ChosenBackup } from './drill-fetch.ts';
import { findingOf, worst } from './drill-record.ts';
import { serverTrouble } from './drill-server.ts';

export type Way = RestoreReport['way'];

/** What the phases after preflight work with. */
export interface Stage {
  readonly chosen: ChosenBackup;
  readonly server: DrillServer;
  readonly programs: ClientPrograms;
  /** For each session that builds indexes. */
  readonly maintenanceWorkMem: string;
  readonly extensions: ExtensionChoice;
  readonly workers: number;
  /** For temporary files; removed in the end. */
  readonly folder: string;
}

export interface Restored {
  readonly way: Way;
  readonly connection: ConnectionOptions;
}

export interface DrillRestore extends CheckResult {
  readonly restored: readonly Restored[];
  readonly reports: readonly RestoreReport[];
}

/** The other way than last time; by the engine at first. Both when asked. psql alone cannot leave an extension out. */
export function waysOf(trend: readonly TrendPoint[], thorough: boolean, leftOut: readonly string[]): Way[] {
  if (leftOut.length > 0) return ['engine'];
  if (thorough) return ['engine', 'plain'];
  return trend.findLast(({ way }) => way !== undefined)?.way === 'engine' ? ['plain'] : ['engine'];
}

/** Restores the backup into new databases, one for each of `ways`. One that fails does not keep the other from being tried. */
export async function restoreEachWay(stage: Stage, ways: readonly Way[], context: RunContext): Promise<DrillRestore> {
  const restored: Restored[] = [];
  const reports: RestoreReport[] = [];
  const results: CheckResult[] = [];
  for (const way of ways) {
    const database = `${stage.server.prefix}${way}`;
    const began = context.clock.monotonic();
    try {
      const { warnings, ...done } = await (way === 'engine' ? byEngine : plainly)(stage, database, context);
      const seconds = Math.round(context.clock.monotonic() - began) / 1000;
      reports.push({ way, seconds, ...done });
      restored.push({ way, connection: { ...stage.server.connection, database } });
      results.push({ verdict: 'passed', findings: warnings.map((message) => ({ object: `restore (${way})`, message })) });
    } catch (error) {
      context.signal.throwIfAborted();
      const result = await judgeFailure(toBackupError(error), stage);
      results.push({ ...result, findings: result.findings.map((each) => ({ ...each, object: `restore (${way})` })) });
    }
  }
  const findings = results.flatMap((result): readonly Finding[] => result.findings);
  return { verdict: worst(results.map(({ verdict }) => verdict)), findings, restored, reports };
}

type Done = Pick<RestoreReport, 'phases' | 'command'> & { readonly warnings: readonly string[] };

async function byEngine(
  { chosen, server, programs, workers, folder, maintenanceWorkMem, extensions }: Stage,
  database: string,
  context: RunContext,
): Promise<Done> {
  const source = { copies: [chosen.fetched.storage], key: chosen.backup.key, manifest: chosen.manifest };
  const input = { source, connection: server.connection, programs, temporaryFolder: folder };
  const options = { database, loaders: workers, maintenanceWorkMem, extensions };
  const { phases, warnings } = await restoreBackup(input, options, context);
  return { phases, warnings };
}

async function plainly(
  { chosen, server, programs, workers, extensions }: Stage,
  database: string,
  context: RunContext,
): Promise<Done> {
  const path = chosen.fetched.storage.location(chosen.backup.key);
  const input = { manifest: chosen.manifest, path, connection: server.connection, programs };
  const { phases, warnings, command } = await restorePlain(input, { database, sessions: workers, extensions }, context);
  return { phases, warnings, command };
}

/** Faults of this machine prove nothing about the backup; everything else says that it did not restore. */
const OF_THE_MACHINE: ReadonlySet<BackupError['code']> = new Set([
  'CLIENT_PROGRAM_MISSING',
  'SERVER_START_FAILED',
  'RESTORE_PREFLIGHT',
  'STORAGE_FULL',
  'STORAGE_UNAVAILABLE',
]);

async function judgeFailure(error: BackupError, { server, extensions }: Stage): Promise<CheckResult> {
  if (OF_THE_MACHINE.has(error.code)) return { verdict: 'inconclusive', findings: [findingOf(error)] };
  const trouble = await serverTrouble(server, error.message);
  if (trouble === undefined && extensions.leftOut.length > 0) {
    const message = `without ${extensions.leftOut.join(', ')}, which drill.allowed leaves out, it does not restore: ${error.message}`;
    const hint = 'If the backup needs it, install the extension and take it out of drill.allowed.';
    return { verdict: 'inconclusive', findings: [{ object: error.code, message, hint }] };
  }
  if (trouble === undefined) return { verdict: 'failed', findings: [findingOf(error)] };
  const hint =
    server.throwAway === undefined
      ? 'Mend it, or name no server (DRILL_TARGET_HOST): each drill then starts one of its own.'
      : 'Give the drill more room (BACKUP_WORK_DIR names its folder) or memory, then run it again: backup-manager monthly-drill';
  return { verdict: 'inconclusive', findings: [{ object: error.code, message: `${trouble}. ${error.message}`, hint }] };
}
