import type { Level } from '../codec/level.ts';
import type { CodecName } from '../codec/codec.ts';
import type { BackupError } from '../errors.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import type { ReportPlace } from '../report/report-file.ts';
import type { DiskStorage } from '../storage/disk.ts';
import type { RetryPolicy } from '../storage/retrying.ts';
import type { Storage } from '../storage/storage.ts';
import type { HooksParts } from './hooks.ts';
import type { JobContext } from './job.ts';

/** Everything that the nightly backup works with. */
export interface NightlyBackupParts {
  /** Configured name of the source. */
  readonly source: string;
  /** Its name in the names of reports; absent when it is the only source. */
  readonly reportName?: string;
  readonly connection: ConnectionOptions;
  readonly findPrograms: (serverMajor: number) => Promise<ClientPrograms>;
  /** Where copies go; at least one. */
  readonly targets: readonly Storage[];
  /** The local one among `targets`, when there is one: the dump waits for it alone. */
  readonly spool?: DiskStorage;
  /** For temporary files and the lock when there is no local target. */
  readonly workFolder: string;
  /** Where the report goes; the first that takes it. */
  readonly reports: readonly ReportPlace[];
  readonly dump: {
    readonly codec: CodecName;
    readonly level: Level;
    readonly workers: number;
    readonly lockTimeoutMs: number;
    /** How often the dump begins, when the source is changed under it. */
    readonly attempts: number;
    /** Whether the file of roles holds their hashed passwords. */
    readonly rolePasswords: boolean;
    /** What is left out of a dump does not make it incomplete when its description contains one of these texts. */
    readonly allowedWarnings: readonly string[];
  };
  /** Programs of others that run around it. */
  readonly hooks?: HooksParts;
  /** For copies that have to be made again. */
  readonly repair: RetryPolicy;
  readonly stallTimeoutMs: number;
  /** Without it nobody watches whether the server still works. */
  readonly stall?: {
    /** How long no byte may come from the source, nor its server be seen at work. */
    readonly limitMs: number;
    /** Before the first new attempt after a stall; twice as long before each one after that. */
    readonly pauseMs: number;
    /** Told at once; the run goes on with a new attempt. */
    readonly tell?: (error: BackupError, context: JobContext) => Promise<void>;
  };
  /** Replaces every secret in a text. */
  readonly redact: (text: string) => string;
  /** Version of this program. */
  readonly version: string;
  /** For a person who watches; the log and the report have the same facts. */
  readonly watch?: BackupWatch;
}

export interface BackupWatch {
  /** A phase begins. */
  phase?(name: string): void;
  /** Bytes of rows copied, of about `estimatedBytes`. */
  progress?(copiedBytes: number, estimatedBytes: number): void;
}
