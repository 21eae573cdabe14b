import type { HealthJob } from './health-check.ts';
import type { Job } from './job.ts';
import type { StatusParts } from './status-record.ts';

/**
 * The same job; when a run has ended and the last look at the source found something wrong, or there was none, it is looked at again:
 * a first backup puts an end to what the look at the start of the daemon complained of, and nobody should be told so until the next hour.
 */
export function lookingAfter(job: Job, { source, board }: Pick<StatusParts, 'source' | 'board'>, look: () => HealthJob): Job {
  if (!board) return job;
  return {
    ...job,
    async run(context) {
      const outcome = await job.run(context);
      const { slot: _, partOf: __, onWait: ___, ...own } = context;
      if (!context.signal.aborted && (await isWrong()))
        await look().run({ ...own, log: context.log.child({ job: 'health-check' }) });
      return outcome;
    },
  };

  async function isWrong(): Promise<boolean> {
    // Who cannot read the file will hear of it from the look.
    const known = await board!.read().catch(() => undefined);
    const state = known?.sources[source]?.health?.state;
    return state === undefined || state === 'fail';
  }
}
