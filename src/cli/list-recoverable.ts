import { listBases } from '../base/list-bases.ts';
import { readWal, recoverableFrom } from '../wal/read-wal.ts';
import type { CommandContext } from './command.ts';
import { recoverFrom } from './recover.ts';
import { tableLines } from './table.ts';

const DEFAULT_SEGMENT_BYTES = 16 * 2 ** 20;

/** Every physical backup, and to which instants it can be recovered. */
export async function listRecoverable(
  { parts, config, signal, print }: CommandContext,
  target: string | undefined,
): Promise<number> {
  const source = config.source.name;
  const places = recoverFrom(parts, target);
  const { bases, unreadable } = await listBases(places.targets, source, signal);
  const wal = await readWal(places, source, bases[0]?.manifest.segmentBytes ?? DEFAULT_SEGMENT_BYTES, signal);
  const whole = bases.filter(({ copies }) => copies.some(({ state }) => state === 'whole'));
  const found = await recoverableFrom(
    whole.map(({ manifest }) => manifest),
    wal,
    { signal },
  );
  const damaged = bases
    .filter((base) => !whole.includes(base))
    .map(({ manifest, copies }) => ({
      base: manifest.label,
      why: copies.map(({ target, state, detail }) => `${target.name}: ${detail ?? state}`).join('; '),
    }));
  const unusable = [
    ...found.unusable,
    ...damaged,
    ...unreadable.map(({ location, error }) => ({ base: location, why: error.message })),
  ];
  const windows = found.windows.map(({ segments, ...window }) => ({ ...window, segments: segments.length }));
  print({ windows, unusable }, [
    ...(windows.length === 0
      ? ['Nothing can be recovered to an instant. `backup-manager create-backup --physical` makes a physical backup.']
      : tableLines(
          ['BASE', 'FROM', 'TO', 'TIMELINE', 'WAL'],
          windows.map(({ base, fromTime, toTime, toLsn, timeline, segments, gap }) => [
            base,
            fromTime,
            `${toTime ?? toLsn}${gap === undefined ? '' : ` (${gap})`}`,
            String(timeline),
            `${segments} segments`,
          ]),
          [],
        )),
    ...unusable.map(({ base, why }) => `  ${base} cannot be used: ${why}`),
  ]);
  return 0;
}
