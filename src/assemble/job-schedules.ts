import type { Config } from '../config.ts';
import { isStreamed } from '../wal/stream-state.ts';

/** When each job of a source is due, by its name, as in cron; those of physical backups while its WAL is streamed. */
export async function jobSchedules(
  { schedule, source }: Config,
  wal: Parameters<typeof isStreamed>[0],
): Promise<Readonly<Record<string, string>>> {
  return {
    ...{ 'nightly-backup': schedule.backup, 'weekly-cleanup': schedule.cleanup, 'restore-drill': schedule.drill },
    'health-check': schedule.health,
    // Of the server, whatever databases it has.
    ...(source.group === undefined &&
      (await isStreamed(wal)) && { 'base-backup': schedule.base, 'pitr-drill': schedule.pitrDrill }),
  };
}
