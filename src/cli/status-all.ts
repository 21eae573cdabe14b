import { BackupError, toBackupError } from '../errors.ts';
import type { CommandContext } from './command.ts';
import { findSources } from './each-source.ts';
import { jobHistories, ledgerEntries, passedOverText } from './job-lines.ts';
import { listOfAll } from './list-all.ts';
import { rowOf } from './status-row.ts';
import { statusScreen } from './status-screen.ts';

/** How several sources stand, on one screen: what the targets hold now, and what the status file says of the rest. */
export async function statusOfAll(context: CommandContext, all: boolean): Promise<number> {
  const { program, chosen, signal, clock, print } = context;
  const { sources, gone, failures } = await findSources(context);
  const now = clock.now();
  const listing = await listOfAll(chosen, signal);
  const known = (await program.board?.read())?.sources ?? {};
  const rows = await Promise.all(sources.map(async (parts) => await rowOf(parts, listing, known[parts.config.source.name], now)));
  const unread: BackupError[] = [];
  const entries = await ledgerEntries(program.evidence()).catch((error: unknown) => {
    unread.push(toBackupError(error));
    return [];
  });
  const histories = await Promise.all(chosen.map(async (parts) => await jobHistories(parts, entries, now)));
  const passedOver = histories.flat().flatMap((history) => {
    const says = passedOverText(history);
    return says === undefined ? [] : [`${history.schedule.source ?? ''}: ${history.schedule.job} of ${says}`];
  });
  const problems = [
    ...unread,
    ...failures.map(({ source, error }) => new BackupError(error.code, `${source}: ${error.message}`)),
    ...listing.unreachable.map(({ error }) => error),
    ...rows.flatMap((row) => row.problems),
  ];
  const told = problems.map(({ message }) => message);
  print(
    {
      healthy: problems.length === 0,
      sources: rows.map(({ value }) => value),
      ...(gone.length > 0 && { gone }),
      ...(passedOver.length > 0 && { passedOver }),
      problems: told,
    },
    statusScreen({ rows, problems: told, passedOver, gone }, all, now),
  );
  return problems[0]?.exitStatus ?? 0;
}
