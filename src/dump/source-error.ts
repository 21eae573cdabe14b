import { BackupError, toBackupError } from '../errors.ts';
import { CopyFailure } from './copy-failure.ts';

/** SQLSTATEs after which a new attempt from a new snapshot may do: somebody else changed or locked a table meanwhile. */
const CHANGED: Record<string, string> = {
  '55P03': 'a table is locked by another session',
  '42P01': 'a table was dropped while the dump began',
  '42703': 'a column was dropped while the dump began',
  '3F000': 'a schema was dropped while the dump began',
  '40P01': 'the dump was chosen as the victim of a deadlock',
};

/** A failure of the source during the dump, classified by SQLSTATE. `doing` completes "… while". */
export function sourceError(error: unknown, doing: string, detail = ''): BackupError {
  if (error instanceof BackupError) return error;
  if (!isFromServer(error)) return toBackupError(error);
  const { message = String(error), code } = error as { message?: string; code?: string };
  const suffix = detail === '' ? '' : ` ${detail}`;
  if (code !== undefined && CHANGED[code] !== undefined) {
    return new BackupError('SOURCE_CHANGED', `${CHANGED[code]} (while ${doing}): ${message}.${suffix}`, {
      retryable: true,
      cause: error,
      hint: 'Nothing was kept of this attempt. If it happens every time, move the schedule away from migrations.',
    });
  }
  if (code === '40001' || (code === '57014' && message.includes('recovery'))) {
    return new BackupError(
      'SOURCE_CHANGED',
      `the standby cancelled the dump to go on with recovery (while ${doing}): ${message}.`,
      {
        retryable: true,
        cause: error,
        hint: 'Set hot_standby_feedback = on, or raise max_standby_streaming_delay on the standby, or back up the primary.',
      },
    );
  }
  if (code === '42501') {
    return new BackupError('SOURCE_PRIVILEGE', `the role may not read what is to be dumped (while ${doing}): ${message}.`, {
      cause: error,
      hint: 'Grant it: GRANT pg_read_all_data TO <role>; docs/least-privilege.md has the whole list.',
    });
  }
  if (code === '53200') {
    return new BackupError('SOURCE_FAILED', `the server has no memory left for locks (while ${doing}): ${message}.`, {
      cause: error,
      hint: 'Raise max_locks_per_transaction on the server (a restart is needed): pg_dump needs a lock for every table and sequence.',
    });
  }
  return new BackupError('SOURCE_FAILED', `the server failed while ${doing}: ${message}.${suffix}`, {
    cause: error,
    retryable: code === undefined || /^(08|53|57P|58)/.test(code),
    hint: "Nothing was kept of this attempt. The server's own log has more.",
  });
}

/** Whether the server said it, or the connection to it broke; a full disk of ours, say, is neither. */
function isFromServer(error: unknown): boolean {
  if (error instanceof CopyFailure) return true;
  const { message = '', severity } = error as { message?: string; severity?: string };
  return severity !== undefined || /Connection terminated|Client was closed|ECONNRESET|EPIPE|ETIMEDOUT/.test(message);
}
