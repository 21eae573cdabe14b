import { ok, unchecked, warn, type HealthCheck } from './check.ts';
import type { ProgramsFound } from './server.ts';

/** Whether the drill can start a server of the source's version. Backups do not need one. */
export function checkDrillPrograms(found: ProgramsFound): HealthCheck {
  const subject = { check: 'drill programs' } as const;
  if (found.error === undefined) return ok(subject, `${found.version} in ${found.directory}`);
  if (found.unknown) return unchecked(subject, 'warn', found.error);
  return warn(
    subject,
    `the restore drill cannot run: ${found.error.message}`,
    found.error.hint ?? "Install PostgreSQL's server programs.",
  );
}
