/**
 * Every failure that a person may meet, with the exit status that `main` and `cli` end with.
 * Exit statuses: 1 unexpected, 2 usage or configuration, 3 incomplete, 10 source, 20 storage,
 * 30 a backup is damaged or unknown, 40 the restore was refused or failed, 50 the machine lacks something,
 * 1 and 2 for a drill that failed or could not check, 60 another run holds the lock, 70 a hook stopped the backup, 80 an alert was not taken, 90 the evidence ledger does not add up,
 * 100 a health check failed, 130 aborted.
 */
export const EXIT_STATUS = {
  INTERNAL: 1,
  USAGE: 2,
  CONFIG_INVALID: 2,
  BACKUP_INCOMPLETE: 3,
  SOURCE_UNREACHABLE: 10,
  SOURCE_AUTHENTICATION: 10,
  SOURCE_DATABASE_MISSING: 10,
  SOURCE_PRIVILEGE: 10,
  SOURCE_VERSION: 10,
  SOURCE_POOLER: 10,
  SOURCE_CHANGED: 10,
  SOURCE_FAILED: 10,
  STORAGE_MISSING: 20,
  STORAGE_DENIED: 20,
  STORAGE_FULL: 20,
  STORAGE_READ_ONLY: 20,
  STORAGE_UNAVAILABLE: 20,
  STORAGE_CORRUPT: 20,
  STORAGE_FAILED: 20,
  STORAGE_NO_TARGET: 20,
  BACKUP_UNKNOWN: 30,
  BACKUP_DAMAGED: 30,
  BACKUP_FORMAT: 30,
  RESTORE_REFUSED: 40,
  RESTORE_PREFLIGHT: 40,
  RESTORE_FAILED: 40,
  CLIENT_PROGRAM_MISSING: 50,
  CLIENT_PROGRAM_FAILED: 50,
  SERVER_START_FAILED: 50,
  LOCALE_MISSING: 50,
  DRILL_FAILED: 1,
  DRILL_INCONCLUSIVE: 2,
  LOCKED: 60,
  HOOK_FAILED: 70,
  ALERT_FAILED: 80,
  EVIDENCE_BROKEN: 90,
  UNHEALTHY: 100,
  STALLED: 130,
  TIME_LIMIT: 130,
  ABORTED: 130,
} as const;

export type ErrorCode = keyof typeof EXIT_STATUS;

export interface BackupErrorOptions {
  /** What the reader should do next, in one or two sentences. */
  hint?: string;
  /** Whether the same call may succeed later without anybody changing anything. */
  retryable?: boolean;
  cause?: unknown;
}

/** A failure written for the person who has to act on it: what failed, on what, and (in `hint`) what to do. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: BackupErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint;
  }

  get exitStatus(): number {
    return EXIT_STATUS[this.code];
  }
}

/** Any thrown value as a {@link BackupError}: itself, `ABORTED` for an abort, otherwise `INTERNAL` with the value as cause. */
export function toBackupError(error: unknown): BackupError {
  if (error instanceof BackupError) return error;
  if (error instanceof Error && error.name === 'AbortError') {
    return new BackupError('ABORTED', 'the run was aborted', { cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new BackupError('INTERNAL', message, {
    cause: error,
    hint: 'This is a failure the program does not know. Please report it with the log lines around it.',
  });
}

/** What an operation on a file gives, or `value` when there is no such file. */
export async function absentAs<T>(value: T, operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return value;
    throw error;
  }
}
