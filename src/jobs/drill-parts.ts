import type { DrillServer } from '../drill/preflight.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import type { ReportPlace } from '../report/report-file.ts';
import type { Storage } from '../storage/storage.ts';
import type { PhaseName } from '../drill/verdict.ts';
import type { BackupWatch } from './backup-parts.ts';

/** Everything that the restore drill works with. */
export interface RestoreDrillParts {
  /** Configured name of the source. */
  readonly source: string;
  /** Its name in the names of reports; absent when it is the only source. */
  readonly reportName?: string;
  /** Whether only backups of this source are drilled when none is named. */
  readonly sourceNamed: boolean;
  /** Where backups are. */
  readonly targets: readonly Storage[];
  /** The one to drill from; by default the first that is not on this machine. */
  readonly from?: string;
  /** Names of the targets that a disaster here would take along. */
  readonly local: readonly string[];
  /** Folders with PostgreSQL's programs, looked in before the usual places. */
  readonly directories: readonly string[];
  /** A server to restore into instead of a throw-away one. */
  readonly server?: ConnectionOptions;
  /** For the copy of the backup and the throw-away server. */
  readonly workFolder: string;
  /** `folder` is locked for as long as a drill runs: one at a time. It is made as needed, below `root`, which must exist. */
  readonly lock: { readonly root: string; readonly folder: string };
  /** Where the drill's reports go; the first that takes them. */
  readonly reports: readonly ReportPlace[];
  /** Where the reports of backups are: they know of backups that have since been removed. */
  readonly backupReports: readonly ReportPlace[];
  /** Connections and threads that work at the same time. */
  readonly workers: number;
  /** SQL files of the user; need not exist. */
  readonly assertions: string;
  /** Names of what the throw-away server may lack. */
  readonly allowed: readonly string[];
  readonly rpoMinutes: number;
  readonly rtoMinutes: number;
  /** Longest time between two runs of the backup's schedule; `undefined` when it never runs twice. */
  readonly scheduleMinutes: () => number | undefined;
  /** How long each phase may take, ms. */
  readonly timeouts: Readonly<Record<PhaseName, number>>;
  /** Replaces every secret in a text. */
  readonly redact: (text: string) => string;
  /** Version of this program. */
  readonly version: string;
  /** For a person who watches. */
  readonly watch?: BackupWatch;
  readonly hooks?: DrillHooks;
}

/** Moments of a drill, for tests of what happens when something goes wrong there. */
export interface DrillHooks {
  /** Before a phase; with the server, once there is one. */
  before?(phase: PhaseName, server: DrillServer | undefined): Promise<void>;
}

/** What a person may ask for. */
export interface DrillRequest {
  readonly label?: string;
  readonly database?: string;
  readonly from?: string;
  /** Restore both ways, not only the one whose turn it is. */
  readonly thorough?: boolean;
}
