import type { Evidence } from './evidence.ts';
import type { Job } from './job.ts';
import type { Claim, Turns } from './turns.ts';

export interface TurnParts {
  readonly turns: Turns;
  readonly claims: readonly Claim[];
  /** Told at once that the slot is being seen to: while it waits it must not pass for missed. */
  readonly evidence: Evidence | undefined;
}

/** The same job, that waits for its turn. One that is stopped while it waits runs with the aborted signal, and so reports that. */
export function withTurn(job: Job, { turns, claims, evidence }: TurnParts): Job {
  return {
    ...job,
    async run(context) {
      const { signal, log, clock, slot, onWait } = context;
      evidence?.opens({ job: job.name, source: job.source }, slot);
      const since = clock.monotonic();
      const turn = await turns.take(claims, signal, () => {
        log.info('waiting for its turn');
        onWait?.(true);
      });
      onWait?.(false);
      const seconds = Math.round((clock.monotonic() - since) / 1000);
      if (seconds > 0) log.info({ seconds }, 'its turn has come');
      try {
        return await job.run(context);
      } finally {
        turn?.release();
      }
    },
  };
}
