import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { BackupError } from '../errors.ts';

export interface DirectoryLock {
  release(): Promise<void>;
}

/**
 * Takes the exclusive lock of a backup directory, so that only one run at a time writes below it. Throws `LOCKED` at once
 * when another process holds it.
 *
 * Node has no flock(2), so a `flock` child holds the lock. It ends when our end of its standard input closes, which the
 * kernel does however we die: a killed run never leaves the directory locked, and no stale lock file has to be judged.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  // flock would make a file of that name.
  if (!(await stat(directory)).isDirectory()) throw new Error(`${directory} is not a directory`);
  // Nothing but `cat` runs under the lock; `echo` says that it is held. A group of its own keeps Ctrl-C away from it:
  // the lock has to last until we have cleaned up.
  const child = spawn('flock', ['-n', directory, 'sh', '-c', 'echo held && exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined); // The child may be gone before we end its input; `close` tells.
  const closed = once(child, 'close') as Promise<[number | null]>;
  const held = new Promise<true>((resolve) => child.stdout.once('data', () => resolve(true)));
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
  }
  if (first === true) {
    return {
      release: async () => {
        child.stdin.end();
        await closed;
      },
    };
  }
  if (first[0] === 1 && stderr === '') {
    throw new BackupError('LOCKED', `another run is writing to ${directory}; this one did nothing`, {
      hint: 'Wait until it has ended. `backup-manager status` shows what exists so far.',
      retryable: true,
    });
  }
  throw new BackupError(
    'STORAGE_FAILED',
    `${directory} could not be locked: ${stderr.trim() || `flock ended with status ${first[0]}`}`,
    {
      hint: 'The backup directory must exist and lie on a file system that supports flock.',
    },
  );
}
