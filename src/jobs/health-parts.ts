import type { LedgerLook } from '../report/look-at-ledger.ts';
import type { ReportPlace } from '../report/report-file.ts';
import type { AlertsLook } from '../health/undelivered.ts';
import type { LocalFolders } from './look-at-files.ts';
import type { WalHealthParts } from './look-at-wal.ts';
import type { ServerParts } from './look-at-server.ts';
import type { StatusParts } from './status-record.ts';

/** Everything that the health check works with. */
export interface HealthCheckParts extends StatusParts, ServerParts {
  /** Its name in the names of reports; absent when it is the only source. */
  readonly reportName?: string;
  /** What is on this machine. */
  readonly local: LocalFolders;
  readonly workFolder: string;
  /** Where its report goes, the first that takes it; where those of backups are. */
  readonly reports: readonly ReportPlace[];
  /** When backups are made until the clean-up after the next one has made room. */
  readonly runsUntilRoom: (now: Date) => readonly Date[];
  /** Whether the ledger is whole; absent where none is kept. */
  readonly lookAtLedger?: (now: Date) => Promise<LedgerLook>;
  /** Point-in-time recovery. */
  readonly wal: WalHealthParts;
  readonly alerts: (signal: AbortSignal) => Promise<AlertsLook>;
  /** Version of this program. */
  readonly version: string;
}
