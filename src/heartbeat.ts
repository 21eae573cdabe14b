import { closeSync, mkdirSync, openSync, utimesSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from './clock.ts';

const EVERY_MS = 10_000;

/**
 * Touches a file every few seconds for as long as this process takes turns; whoever looks at its time knows that it does. On a full disk a
 * file that is there can still be touched. Failures are told once, until it works again. Keeps no process alive.
 */
export function startHeartbeat(path: string, clock: Clock, onFailure: (error: unknown) => void): void {
  let failed = false;
  const beat = (): void => {
    try {
      touch(path, clock.now());
      failed = false;
    } catch (error) {
      if (!failed) onFailure(error);
      failed = true;
    }
  };
  beat();
  setInterval(beat, EVERY_MS).unref();
}

function touch(path: string, now: Date): void {
  try {
    utimesSync(path, now, now);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    try {
      mkdirSync(dirname(path), { mode: 0o755 });
    } catch (second) {
      if ((second as NodeJS.ErrnoException).code !== 'EEXIST') throw second;
    }
    closeSync(openSync(path, 'a', 0o644));
  }
}
