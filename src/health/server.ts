import type { BackupError } from '../errors.ts';
import { fail, ok, unchecked, type HealthCheck } from './check.ts';

/** What asking the server gave: its version, or why it did not answer as it should. */
export type ServerAnswer =
  { readonly version: string; readonly standby: boolean; readonly error?: undefined } | { readonly error: BackupError };

/** Whether the database answers, and is one that can be backed up. */
export function checkServer(answer: ServerAnswer): HealthCheck {
  const subject = { check: 'database' } as const;
  if (answer.error === undefined) return ok(subject, `PostgreSQL ${answer.version}${answer.standby ? ' (standby)' : ''} answers`);
  const { code, message, hint } = answer.error;
  return { ...fail(subject, message, hint ?? 'Look at the log of the server.'), code };
}

/** What looking for programs gave. `unknown`: the server did not say which version they are for. */
export type ProgramsFound =
  | { readonly version: string; readonly directory: string; readonly error?: undefined }
  | { readonly error: BackupError; readonly unknown?: true };

/** Whether `pg_dump` and the others are there for this version of the server. */
export function checkClientPrograms(found: ProgramsFound): HealthCheck {
  const subject = { check: 'client programs' } as const;
  if (found.error === undefined) return ok(subject, `${found.version} in ${found.directory}`);
  if (found.unknown) return unchecked(subject, 'warn', found.error);
  return fail(subject, found.error.message, found.error.hint ?? "Install PostgreSQL's client programs.");
}
