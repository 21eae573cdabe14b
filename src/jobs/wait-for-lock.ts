import { setTimeout as sleep } from 'node:timers/promises';
import { BackupError } from '../errors.ts';
import type { JobContext } from './job.ts';

const EVERY_MS = 10_000;

/** What `open` gives, asked again every few seconds for at most `waitMs` while another run holds the lock; then its error. */
export async function waitForLock<T>(open: () => Promise<T>, waitMs: number, { signal, clock, log }: JobContext): Promise<T> {
  const since = clock.monotonic();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await open();
    } catch (error) {
      const waited = clock.monotonic() - since;
      if (!(error instanceof BackupError) || error.code !== 'LOCKED' || waited >= waitMs) throw error;
      if (attempt === 1) log.info({ minutes: Math.round(waitMs / 60_000) }, 'another run is at work; waiting for its end');
      await sleep(Math.min(EVERY_MS, waitMs - waited), undefined, { signal });
    }
  }
}
