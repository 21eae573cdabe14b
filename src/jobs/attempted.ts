import { BackupError, toBackupError } from '../errors.ts';

/** The same, where there is no going on without it: throws its failure. */
export async function answered<T>(look: (signal: AbortSignal) => Promise<T>, timeoutMs: number, signal: AbortSignal): Promise<T> {
  const answer = await attempted(look, timeoutMs, signal);
  if (answer instanceof BackupError) throw answer;
  return answer;
}

/** What `look` gives, or its failure. It may take `timeoutMs`: a network file system that hangs must not hang the check. */
export async function attempted<T>(
  look: (signal: AbortSignal) => Promise<T>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<T | BackupError> {
  signal.throwIfAborted();
  const timeout = AbortSignal.timeout(timeoutMs);
  const own = AbortSignal.any([signal, timeout]);
  const late = new Promise<never>((_resolve, reject) => {
    own.addEventListener('abort', () => reject(own.reason as Error), { once: true });
  });
  try {
    return await Promise.race([look(own), late]);
  } catch (error) {
    signal.throwIfAborted();
    return timeout.aborted ? new BackupError('STALLED', `no answer within ${timeoutMs / 1000} s`) : toBackupError(error);
  }
}
