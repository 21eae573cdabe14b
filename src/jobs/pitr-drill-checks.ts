import { runAmcheck } from '../drill/amcheck.ts';
import { noFindings, resultOf, type CheckResult } from '../drill/check.ts';
import { allowedBy } from '../drill/preflight.ts';
import { withSession } from '../drill/session.ts';
import { toBackupError } from '../errors.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import { runProgram } from '../postgres/run-program.ts';
import type { RecoveredApart } from './recover-apart.ts';

/** `amcheck` in every database that can be entered. */
export async function checkDatabases(
  connection: ConnectionOptions,
  { workers, allowed }: { readonly workers: number; readonly allowed: readonly string[] },
  signal: AbortSignal,
): Promise<CheckResult> {
  const findings = noFindings();
  const databases = await withSession(connection, signal, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      'SELECT datname AS name FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1',
    );
    return rows.map(({ name }) => name);
  });
  for (const database of databases) {
    await runAmcheck({ connection: { ...connection, database }, jobs: workers, allows: allowedBy(allowed), signal }, findings);
  }
  return resultOf(findings);
}

/** Ends the server and lets `pg_checksums` read every page, where the source has checksums. */
export async function checkPages({ server, connection, programs }: RecoveredApart, signal: AbortSignal): Promise<CheckResult> {
  const enabled = await withSession(connection, signal, async (client) => {
    const { rows } = await client.query<{ setting: string }>(`SELECT current_setting('data_checksums') AS setting`);
    return rows[0]!.setting === 'on';
  });
  const findings = noFindings();
  if (!enabled) {
    findings.notes.push({ object: 'data checksums', message: 'the source has none: pages were checked by amcheck alone' });
    return resultOf(findings);
  }
  await server.shutDown(signal);
  try {
    await runProgram(programs.path('pg_checksums'), ['--check', '-D', server.dataDirectory], { signal });
  } catch (error) {
    signal.throwIfAborted();
    const failure = toBackupError(error);
    if (failure.code !== 'CLIENT_PROGRAM_FAILED') throw error;
    findings.failed.push({ object: 'data checksums', message: failure.message });
  }
  return resultOf(findings);
}
