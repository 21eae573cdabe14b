import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';

/** Where a restore or verification stands, for progress bars. */
export interface Progress {
  readonly phase: string;
  /** Bytes of the dump file that have been dealt with, of `totalBytes`; in phases that read it. */
  readonly bytes?: number;
  readonly totalBytes?: number;
  readonly rows?: number;
}

export interface PhaseTime {
  readonly name: string;
  readonly seconds: number;
}

/** What every long action of this engine is run with. */
export interface RunContext {
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly clock: Clock;
  readonly onProgress?: (progress: Progress) => void;
}

/** Runs the phases of an action one after another: times them, writes one log line for each that ended well. */
export interface PhaseRunner {
  readonly times: readonly PhaseTime[];
  run<T>(name: string, work: () => Promise<T>, counts?: (result: T) => Record<string, unknown>): Promise<T>;
}

export function createPhaseRunner(context: RunContext): PhaseRunner {
  const times: PhaseTime[] = [];
  return {
    times,
    async run(name, work, counts) {
      context.signal.throwIfAborted();
      context.onProgress?.({ phase: name });
      const start = context.clock.monotonic();
      const result = await work();
      const seconds = Math.round(context.clock.monotonic() - start) / 1000;
      times.push({ name, seconds });
      context.log.info({ phase: name, seconds, ...counts?.(result) }, `restore: ${name} done`);
      return result;
    },
  };
}
