import { pino } from 'pino';

import { systemClock } from '../../src/clock.ts';
import type { Progress, RunContext } from '../../src/restore/phases.ts';

/** What a restore is run with when nobody watches. */
export function quietContext(options: { signal?: AbortSignal; onProgress?: (progress: Progress) => void } = {}): RunContext {
  return {
    signal: options.signal ?? new AbortController().signal,
    log: pino({ level: 'silent' }),
    clock: systemClock,
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  };
}
