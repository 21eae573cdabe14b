import { parseLsn } from '../catalog/lsn.ts';
import type { WalMoment } from '../catalog/wal-meta.ts';
import { segmentOf } from '../catalog/wal-names.ts';
import type { RecoveryTarget } from './choose-window.ts';
import type { RecoverableWindow } from './recoverable.ts';

/** A segment more than the one that shows that the target is behind: a standby's clock runs ahead of what it has replayed. */
const SPARE = 1;

/**
 * How many of the window's segments a recovery to the target reads. Of a time: up to the first segment with a look at the source's clock
 * that is not earlier, since a commit after that look lies before its place. Asks for the moments of few segments.
 */
export async function neededSegments(
  { segments, fromLsn }: RecoverableWindow,
  target: RecoveryTarget,
  segmentBytes: number,
  momentsOf: (segment: string) => Promise<readonly WalMoment[]>,
): Promise<number> {
  switch (target.kind) {
    case 'immediate':
      return upTo(segments, parseLsn(fromLsn), segmentBytes);
    case 'lsn':
      return upTo(segments, parseLsn(target.lsn), segmentBytes);
    case 'time':
      return await upToTime(segments, Date.parse(target.time), momentsOf);
    default:
      return segments.length;
  }
}

function upTo(segments: readonly string[], lsn: bigint, segmentBytes: number): number {
  const last = segmentOf(lsn, segmentBytes);
  const at = segments.findIndex((name) => placeOf(name, segmentBytes) >= last);
  return at < 0 ? segments.length : Math.min(segments.length, at + 1 + SPARE);
}

function placeOf(name: string, segmentBytes: number): bigint {
  const perHigh = 0x1_0000_0000n / BigInt(segmentBytes);
  return BigInt(`0x${name.slice(8, 16)}`) * perHigh + BigInt(`0x${name.slice(16, 24)}`);
}

async function upToTime(
  segments: readonly string[],
  time: number,
  momentsOf: (segment: string) => Promise<readonly WalMoment[]>,
): Promise<number> {
  // `low` segments have no such moment; `high` have one, or are all there are.
  let low = 0;
  let high = segments.length;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    let last: WalMoment | undefined;
    let at = middle - 1;
    for (; at >= low && !last; at -= 1) last = (await momentsOf(segments[at]!)).at(-1);
    if (last && Date.parse(last.time) >= time) high = at + 2;
    else low = middle;
  }
  return Math.min(segments.length, high + SPARE);
}
