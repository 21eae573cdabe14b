import { recoverableWindows } from '../jobs/plan-recovery.ts';
import type { CommandContext } from './command.ts';
import { recoverFrom } from './recover.ts';
import { secondsText } from '../quantities.ts';
import { tableLines } from './table.ts';
import { achieved } from './wal-state.ts';

/** Every physical backup, and to which instants it can be recovered. */
export async function listRecoverable(
  { parts, signal, clock, print }: CommandContext,
  target: string | undefined,
): Promise<number> {
  const { unusable, usable, ...found } = await recoverableWindows(recoverFrom(parts, target), {}, signal);
  const parentOf = new Map(usable.map(({ manifest }) => [manifest.label, manifest.parent?.label]));
  const windows = found.windows.map(({ segments, ...window }) => {
    const parent = parentOf.get(window.base);
    return { ...window, segments: segments.length, ...(parent !== undefined && { parent }) };
  });
  const newest = windows[0]?.toTime;
  const rpo = newest === undefined ? undefined : achieved(newest, clock.now());
  print({ windows, unusable, ...(rpo !== undefined && { achievedRpoSeconds: rpo }) }, [
    ...(windows.length === 0
      ? ['Nothing can be recovered to an instant. `backup-manager create-backup --physical` makes a physical backup.']
      : tableLines(
          ['BASE', 'FROM', 'TO', 'TIMELINE', 'WAL', 'BUILDS ON'],
          windows.map(({ base, fromTime, toTime, toLsn, timeline, segments, gap, short, parent }) => [
            base,
            fromTime,
            [toTime ?? toLsn, ...[gap, short].flatMap((why) => (why === undefined ? [] : `(${why})`))].join(' '),
            String(timeline),
            `${segments} segments`,
            parent ?? '',
          ]),
          [],
        )),
    ...(rpo === undefined ? [] : [`Everything committed until ${newest!} is there: a loss now would cost ${secondsText(rpo)}.`]),
    ...unusable.map(({ base, why }) => `  ${base} cannot be used: ${why}`),
  ]);
  return 0;
}
