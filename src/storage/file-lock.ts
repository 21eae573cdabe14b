import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { BackupError } from '../errors.ts';

export interface FileLock {
  release(): Promise<void>;
}

export type LockFile = (path: string, options?: LockOptions) => Promise<FileLock | undefined>;

export interface LockOptions {
  readonly waitMs?: number;
  readonly shared?: boolean;
}

/**
 * Takes the flock(2) of a file, which is made if need be, or of a folder: the exclusive one, or one that several can have. Waits for it at most `waitMs`, by default not at
 * all; `undefined` when another process holds it still.
 *
 * Node has no flock(2), so a `flock` child holds the lock. It ends when our end of its standard input closes, which the
 * kernel does however we die: a killed run never leaves anything locked, and no stale lock file has to be judged.
 */
export async function lockFile(path: string, { waitMs = 0, shared = false }: LockOptions = {}): Promise<FileLock | undefined> {
  // Nothing but `cat` runs under the lock; `echo` says that it is held. A group of its own keeps Ctrl-C away from it:
  // the lock has to last until we have cleaned up. (BusyBox's flock cannot wait for a while: we end the one that waits.)
  const child = spawn(
    'flock',
    [...(waitMs > 0 ? [] : ['-n']), ...(shared ? ['-s'] : []), path, 'sh', '-c', 'echo held && exec cat >/dev/null'],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    },
  );
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined); // The child may be gone before we end its input; `close` tells.
  const closed = once(child, 'close') as Promise<[number | null]>;
  const held = new Promise<true>((resolve) => child.stdout.once('data', () => resolve(true)));
  const patience = new AbortController();
  const timer =
    waitMs > 0
      ? setTimeout(() => {
          patience.abort();
          child.kill();
        }, waitMs)
      : undefined;
  let first: true | [number | null];
  try {
    first = await Promise.race([held, closed]);
  } catch (cause) {
    throw new BackupError(
      'CLIENT_PROGRAM_MISSING',
      'the program flock is missing, so it cannot be known that no other run is writing',
      {
        hint: 'Install it: package util-linux.',
        cause,
      },
    );
  } finally {
    clearTimeout(timer);
  }
  const gaveUp = patience.signal.aborted;
  // Ended by us although it had just got the lock: what it ran under it ends with our end of its input.
  if (gaveUp) child.stdin.end();
  if (first === true && !gaveUp) {
    return {
      release: async () => {
        child.stdin.end();
        await closed;
      },
    };
  }
  if (gaveUp || (first !== true && first[0] === 1 && stderr === '')) return undefined;
  throw new BackupError(
    'STORAGE_FAILED',
    `${path} could not be locked: ${stderr.trim() || `flock ended with status ${first === true ? 0 : first[0]}`}`,
    {
      hint: 'It must lie on a file system that supports flock, and this account must be allowed to open it.',
    },
  );
}
