import { BackupError, type BackupErrorOptions, type ErrorCode } from '../errors.ts';

interface Kind {
  readonly code: ErrorCode;
  readonly words: string;
  readonly hint: string;
  readonly retryable?: boolean;
}

const FULL: Kind = {
  code: 'STORAGE_FULL',
  words: 'no space is left on the device',
  hint: 'Free space there, keep fewer backups, or move BACKUP_DIR to a larger volume.',
};
const READ_ONLY: Kind = {
  code: 'STORAGE_READ_ONLY',
  words: 'the file system is read-only',
  hint: 'Mount the volume writable. A file system that turned read-only by itself often has a failing disk: see the kernel log.',
};
const DENIED: Kind = {
  code: 'STORAGE_DENIED',
  words: 'permission was denied',
  hint: 'Give the directory to the user that this process runs as (chown), or run it as the owner of the directory.',
};
const UNAVAILABLE: Kind = {
  code: 'STORAGE_UNAVAILABLE',
  words: 'the file system does not answer',
  hint: 'If this is a network file system, check the server and the mount.',
  retryable: true,
};

const KINDS: Record<string, Kind> = {
  ENOSPC: FULL,
  EDQUOT: { ...FULL, words: 'the disk quota is used up' },
  EROFS: READ_ONLY,
  EACCES: DENIED,
  EPERM: DENIED,
  ENOENT: {
    code: 'STORAGE_MISSING',
    words: 'it does not exist',
    hint: 'Look at what is there with `backup-manager list-backups`.',
  },
  ENOTDIR: {
    code: 'STORAGE_FAILED',
    words: 'a part of the path is a file, not a directory',
    hint: 'Move the file that stands in the way, or choose another BACKUP_DIR.',
  },
  EIO: {
    code: 'STORAGE_FAILED',
    words: 'the device reported an input/output error',
    hint: 'The disk may be failing: see the kernel log, and check the backups that are on it with `backup-manager verify`.',
  },
  ESTALE: UNAVAILABLE,
  ETIMEDOUT: UNAVAILABLE,
  EHOSTDOWN: UNAVAILABLE,
};

/** A failed file operation as a person should read it. `action` reads as in "cannot <action> /path". */
export function diskError(error: unknown, action: string, path: string): BackupError {
  if (error instanceof BackupError) return error;
  const cause = error as NodeJS.ErrnoException;
  const kind = KINDS[cause.code ?? ''];
  const options: BackupErrorOptions = {
    cause: error,
    hint: kind?.hint ?? 'See the system error above, and check the volume that the path is on.',
    retryable: kind?.retryable ?? false,
  };
  return new BackupError(kind?.code ?? 'STORAGE_FAILED', `cannot ${action} ${path}: ${kind?.words ?? cause.message}`, options);
}

/** Runs a file operation; what it throws comes out as by {@link diskError}. */
export async function onDisk<T>(action: string, path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw diskError(error, action, path);
  }
}
