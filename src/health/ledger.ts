import type { BackupError } from '../errors.ts';
import { fail, ok, unchecked, warn, type HealthCheck } from './check.ts';

/** What reading the new end of the ledger showed. */
export interface LedgerLook {
  /** Lines that were read, and lines in all. */
  readonly read: number;
  readonly lines: number;
  readonly signed: boolean;
  /** Where it is not what it should be. */
  readonly breaks: readonly string[];
}

/** Whether the ledger is whole. `undefined`: none is kept. */
export function checkLedger(look: LedgerLook | undefined | BackupError): HealthCheck {
  const subject = { check: 'ledger' } as const;
  if (look instanceof Error) return unchecked(subject, 'fail', look);
  if (!look) return warn(subject, 'no evidence is kept', 'Name a folder for reports: BACKUP_REPORT_DIR.');
  const { read, lines, signed, breaks } = look;
  if (breaks.length > 0) {
    return fail(
      subject,
      breaks.join('; '),
      'Compare it with the heads on the targets: `backup-manager evidence verify --against-targets`.',
    );
  }
  const says = `${lines} entries, the last ${read} of them read again, whole`;
  return ok(subject, signed ? says : `${says}; they are not signed`);
}
