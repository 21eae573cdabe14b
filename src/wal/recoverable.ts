import { formatLsn, parseLsn } from '../catalog/lsn.ts';
import type { TimelineSwitch } from '../catalog/timeline-history.ts';
import type { WalMoment } from '../catalog/wal-meta.ts';
import { segmentName, segmentOf } from '../catalog/wal-names.ts';

/** What is needed of a physical backup. */
export interface BaseFacts {
  readonly label: string;
  readonly timeline: number;
  readonly startLsn: string;
  readonly endLsn: string;
  /** Later than every commit that is in it. */
  readonly finishedAt: string;
  /** It has the WAL from `startLsn` to `endLsn` in itself. */
  readonly includesWal: boolean;
}

/** What the bytes of an open segment's best copy say. */
export interface OpenLook {
  /** All WAL before it is there. */
  readonly reach: bigint;
  /** Why that is less than was promised, in words; absent when it is not. */
  readonly short?: string;
}

/** The stored WAL of one cluster. */
export interface StoredWal {
  readonly segmentBytes: number;
  /** Names of segments that are stored with their `.meta`, of all timelines. */
  readonly segments: ReadonlySet<string>;
  /** The copy of the segment that was being written: the last piece of a timeline. */
  readonly open: ReadonlySet<string>;
  /** Of an open segment: how far its copy goes. `undefined`: nobody has looked yet, and all of it is taken to be there. */
  readonly lookOf: (segment: string) => OpenLook | undefined;
  /** By timeline: its ancestors. The first has none. */
  readonly histories: ReadonlyMap<number, readonly TimelineSwitch[]>;
  /** Known moments of a segment, in order. */
  readonly momentsOf: (segment: string) => readonly WalMoment[];
}

/** From one physical backup on: what can be recovered without a gap. */
export interface RecoverableWindow {
  readonly base: string;
  /** The timeline that its WAL ends in. */
  readonly timeline: number;
  readonly fromLsn: string;
  readonly fromTime: string;
  /** Everything before it is there. */
  readonly toLsn: string;
  /** Everything that was committed before it is there; absent when no moment of the source's clock is known. */
  readonly toTime?: string;
  /** In their order; the last may be the open one. */
  readonly segments: readonly string[];
  /** Why it ends where it does, when more WAL is stored behind it. */
  readonly gap?: string;
  /** Why it ends before what was noted of its open segment: no copy of it goes so far. */
  readonly short?: string;
}

/** One that lacks WAL to become consistent. */
export interface UnusableBase {
  readonly base: string;
  readonly why: string;
}

export interface Recoverable {
  /** Newest base first. */
  readonly windows: readonly RecoverableWindow[];
  readonly unusable: readonly UnusableBase[];
}

/** What can be recovered, and what cannot and why: from names and metas alone. Pure. */
export function recoverable(bases: readonly BaseFacts[], wal: StoredWal, timeline?: number): Recoverable {
  const windows: RecoverableWindow[] = [];
  const unusable: UnusableBase[] = [];
  for (const base of bases) {
    const found = windowOf(base, wal, timeline);
    if ('why' in found) unusable.push(found);
    else windows.push(found);
  }
  windows.sort((a, b) => (a.fromTime < b.fromTime ? 1 : -1));
  return { windows, unusable };
}

function windowOf(base: BaseFacts, wal: StoredWal, wanted: number | undefined): RecoverableWindow | UnusableBase {
  const { segmentBytes } = wal;
  const route = routeTo(wanted ?? newestDescendant(base, wal), base, wal);
  if (route === undefined) return { base: base.label, why: `timeline ${String(wanted)} does not come from its own` };
  const end = parseLsn(base.endLsn);
  const segments: string[] = [];
  let number = segmentOf(parseLsn(base.startLsn), segmentBytes);
  let timeline: number;
  let gap: string | undefined;
  for (; ; number += 1n) {
    timeline = timelineAt(number, route, segmentBytes);
    const name = segmentName(timeline, number, segmentBytes);
    if (wal.segments.has(name)) segments.push(name);
    else {
      const isOpen = wal.open.has(name);
      if (isOpen) segments.push(name);
      if (isBefore(name, wal.segments)) gap = `${name} ${isOpen ? 'was never finished' : 'is missing'}`;
      break;
    }
  }
  const last = segments.at(-1);
  const isOpen = last !== undefined && !wal.segments.has(last);
  const moments = segments.toReversed().map((name) => wal.momentsOf(name).at(-1));
  const newest = moments.find((moment) => moment !== undefined);
  const look = isOpen ? wal.lookOf(last) : undefined;
  const reached = look?.reach ?? (number + (isOpen ? 1n : 0n)) * BigInt(segmentBytes);
  const ownWal = base.includesWal && reached < end;
  if (reached < end && !base.includesWal) {
    return {
      base: base.label,
      why: `it needs WAL up to ${base.endLsn}: ${gap ?? look?.short ?? segmentName(timeline, number, segmentBytes) + ' is not stored'}`,
    };
  }
  return {
    base: base.label,
    timeline: ownWal
      ? base.timeline
      : timelineAt(segments.length === 0 ? number : number - (isOpen ? 0n : 1n), route, segmentBytes),
    fromLsn: base.endLsn,
    fromTime: base.finishedAt,
    toLsn: ownWal ? base.endLsn : formatLsn(reached),
    ...(newest !== undefined && newest.time > base.finishedAt && { toTime: newest.time }),
    segments,
    ...(gap !== undefined && { gap }),
    ...(look?.short !== undefined && { short: look.short }),
  };
}

/** A way through the timelines: from `lsn` on, `timeline`. Oldest first. */
type Route = readonly { readonly timeline: number; readonly lsn: bigint }[];

function routeTo(target: number, base: BaseFacts, { histories }: StoredWal): Route | undefined {
  const history = histories.get(target) ?? [];
  const steps = [
    ...history.map(({ parent }, at) => ({ timeline: parent, lsn: at === 0 ? 0n : history[at - 1]!.lsn })),
    { timeline: target, lsn: history.at(-1)?.lsn ?? 0n },
  ];
  const at = steps.findIndex(({ timeline }) => timeline === base.timeline);
  // A base that was taken after its timeline was left belongs to another branch.
  const left = steps[at + 1]?.lsn;
  return at < 0 || (left !== undefined && left < parseLsn(base.endLsn)) ? undefined : steps.slice(at);
}

/** The highest timeline that comes from the one of `base`: what PostgreSQL calls `latest`. */
function newestDescendant(base: BaseFacts, wal: StoredWal): number {
  const candidates = [...wal.histories.keys()].filter((timeline) => timeline > base.timeline).sort((a, b) => b - a);
  return candidates.find((timeline) => routeTo(timeline, base, wal) !== undefined) ?? base.timeline;
}

/** The segment in which a timeline begins carries the name of the new one. */
function timelineAt(number: bigint, route: Route, segmentBytes: number): number {
  return route.findLast(({ lsn }) => segmentOf(lsn, segmentBytes) <= number)?.timeline ?? route[0]!.timeline;
}

/** Whether any stored segment of the same timeline comes later. Names sort as their places do. */
function isBefore(name: string, segments: ReadonlySet<string>): boolean {
  const timeline = name.slice(0, 8);
  for (const other of segments) if (other.startsWith(timeline) && other > name) return true;
  return false;
}
