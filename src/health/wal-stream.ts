import { parseLsn } from '../catalog/lsn.ts';
import type { BackupError } from '../errors.ts';
import type { WalView } from '../postgres/wal-view.ts';
import { bytesText, secondsText } from '../quantities.ts';
import { fail, ok, unchecked, warn, type HealthCheck } from './check.ts';

/** What the daemon says of its stream. */
export interface StreamLook {
  readonly writtenAt: string;
  readonly phase: 'starting' | 'streaming' | 'held' | 'failing' | 'stopped' | 'off';
  readonly problem?: { readonly message: string; readonly hint?: string };
  readonly source?: WalView & { readonly time: string };
  readonly received?: Place;
  readonly targets: readonly {
    readonly target: string;
    readonly waitingFiles: number;
    readonly waitingBytes: number;
    readonly reached?: Place;
    readonly problem?: string;
  }[];
}

/** Up to where everything is there; `time` by the source's clock. */
interface Place {
  readonly lsn: string;
  readonly time?: string;
}

export interface StreamLimits {
  /** How often the daemon looks. */
  readonly intervalMs: number;
  /** How far behind is worth a warning. */
  readonly lagMs: number;
  /** What may be lost at most: the recovery point that is promised. */
  readonly rpoMs: number;
  /** How much WAL the source may keep for us until that is worth a warning. */
  readonly keptBytes: number;
  /** Commits of the source are to wait for us. */
  readonly synchronous: boolean;
}

/** A daemon that has said nothing for so long, and for some of its intervals, is not at work. */
const SILENT_MS = 60_000;
const SILENT_INTERVALS = 6;
/** Nothing new has come for so long: it is not slow, it stands. */
const STANDS_MS = 5 * 60_000;
/** Of the source's own limit. */
const EARLY = 0.5;

const RESUME = 'Is the daemon at work? Its log tells: `backup-manager logs`.';
const STREAM = { check: 'wal stream' } as const;
const SOURCE = { check: 'wal at source' } as const;
const COMMITS = { check: 'commits' } as const;

/** Whether WAL arrives, how far behind it is here and on every target, and whether the source can bear what it keeps for us. */
export function checkWalStream(look: StreamLook | undefined | BackupError, limits: StreamLimits, now: Date): HealthCheck[] {
  if (look instanceof Error) return [unchecked(STREAM, 'fail', look)];
  if (!look) return [warn(STREAM, 'no WAL has been streamed yet', RESUME)];
  const silentMs = now.getTime() - Date.parse(look.writtenAt);
  const isSilent = silentMs > Math.max(SILENT_MS, SILENT_INTERVALS * limits.intervalMs);
  return [
    streamCheck(look, isSilent, silentMs, limits),
    // Of a daemon that is not at work nothing newer is known.
    ...(isSilent || !look.source ? [] : [sourceCheck(look.source, look.received !== undefined, limits)]),
    ...(look.source ? commitsCheck(look.source, !isSilent && look.phase === 'streaming', limits) : []),
    ...look.targets.map((each) => targetCheck(each, look.source, limits)),
  ];
}

function streamCheck(look: StreamLook, isSilent: boolean, silentMs: number, { lagMs, rpoMs }: StreamLimits): HealthCheck {
  if (look.phase === 'failing' || look.phase === 'held') {
    const { message = look.phase, hint = RESUME } = look.problem ?? {};
    return fail(STREAM, `no WAL arrives: ${message}`, hint);
  }
  if (look.phase === 'stopped' || look.phase === 'off' || isSilent) {
    return fail(STREAM, `no WAL arrives: the daemon was last at work ${secondsText(silentMs / 1000)} ago`, RESUME);
  }
  if (look.phase === 'starting' || !look.source || !look.received) return warn(STREAM, 'WAL begins to arrive', RESUME);
  const behind = behindBy(look.received, look.source);
  const says = `received: ${behind.says}`;
  const hint =
    'Is the network slow, or does the disk here not keep up? The log of the daemon tells whether the stream broke off.';
  if (behind.ms > Math.min(STANDS_MS, rpoMs)) return fail(STREAM, says, hint);
  return behind.ms > lagMs ? warn(STREAM, says, hint) : ok(STREAM, says);
}

function sourceCheck(source: WalView, hasBegun: boolean, { keptBytes }: StreamLimits): HealthCheck {
  const { slot, safeBytes, limitBytes } = source;
  if (slot === 'none' && !hasBegun) return warn(SOURCE, 'the replication slot is not made yet', RESUME);
  if (slot === 'none') return fail(SOURCE, 'the replication slot is not there: the source keeps no WAL for us', RESUME);
  if (slot === 'lost') {
    return fail(
      SOURCE,
      'the source has given up WAL that was not fetched: there is a gap',
      'Make a physical backup (`backup-manager create-backup --physical`): what follows it is recoverable. Then raise max_slot_wal_keep_size.',
    );
  }
  const says = [
    `it keeps ${bytesText(source.keptBytes)} of WAL for us`,
    limitBytes === undefined
      ? 'and nothing limits that (max_slot_wal_keep_size)'
      : `of ${bytesText(limitBytes)} at most (max_slot_wal_keep_size)`,
    ...(source.walBytes === undefined ? [] : [`its pg_wal has ${bytesText(source.walBytes)}`]),
  ].join(', ');
  const hint = 'See `wal stream` for why WAL is not fetched as fast as it is written.';
  if (slot === 'unreserved') return fail(SOURCE, `${says}; the next checkpoint gives up what we lack`, hint);
  const isNearLimit = limitBytes !== undefined && safeBytes !== undefined && safeBytes < limitBytes * EARLY;
  // Segments that are complete anyway count as well: near the limit only if they are ours.
  if (isNearLimit && source.keptBytes > limitBytes * EARLY) return warn(SOURCE, says, hint);
  return source.keptBytes > keptBytes ? warn(SOURCE, says, `${hint} ${BEAR}`) : ok(SOURCE, says);
}

/** Where commits are meant to wait for us, or do so: whether it is in force. Nothing where neither is so. */
function commitsCheck({ commits }: WalView, arrives: boolean, { synchronous }: StreamLimits): HealthCheck[] {
  if (commits === 'us' && arrives) return [ok(COMMITS, 'the source acknowledges none that is not durable here')];
  if (commits === 'us' || commits === 'absent') {
    return [
      fail(
        COMMITS,
        'they wait for us, and nothing is received: the source acknowledges none, unless another standby stands in',
        'See `wal stream` for why nothing is received. To let the source go on without us: ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf().',
      ),
    ];
  }
  if (!synchronous) return [];
  return [
    fail(
      COMMITS,
      commits === 'other'
        ? 'they wait for another standby, not for us (PITR_SYNCHRONOUS): it comes first in synchronous_standby_names of the source'
        : 'they do not wait for us (PITR_SYNCHRONOUS): synchronous_standby_names of the source does not name the slot',
      "On the source: ALTER SYSTEM SET synchronous_standby_names = '<the slot>'; SELECT pg_reload_conf().",
    ),
  ];
}

const BEAR = 'Set max_slot_wal_keep_size on the source to what its disk can bear.';

function targetCheck(
  { target, waitingFiles, waitingBytes, reached, problem }: StreamLook['targets'][number],
  source: StreamLook['source'],
  { lagMs, rpoMs }: StreamLimits,
): HealthCheck {
  const subject = { check: 'wal copies', object: target } as const;
  const waiting = waitingFiles === 0 ? [] : [`${waitingFiles} files (${bytesText(waitingBytes)}) wait for it`];
  const why = problem === undefined ? [] : [problem];
  const hint = 'Make the target usable: what waits is stored then. Until then it is kept on this machine.';
  if (!source || !reached) {
    const says = ['how far it is is not known yet', ...waiting, ...why].join('; ');
    return problem === undefined ? warn(subject, says, RESUME) : warn(subject, says, hint);
  }
  const behind = behindBy(reached, source);
  const says = [behind.says, ...waiting, ...why].join('; ');
  if (behind.ms > rpoMs) return fail(subject, says, hint);
  return behind.ms > lagMs || problem !== undefined ? warn(subject, says, hint) : ok(subject, says);
}

/** In bytes against the end of the source's WAL, and in time by the source's clock. */
function behindBy(place: Place, source: WalView & { readonly time: string }): { readonly says: string; readonly ms: number } {
  const bytes = bytesText(Math.max(0, Number(parseLsn(source.lsn) - parseLsn(place.lsn))));
  if (place.time === undefined) return { says: `${bytes} behind the source, it is not known for how long`, ms: 0 };
  // With all of it here nothing is behind, however long ago the last commit was that a standby has replayed.
  const ms = parseLsn(place.lsn) >= parseLsn(source.lsn) ? 0 : Math.max(0, Date.parse(source.time) - Date.parse(place.time));
  return { says: `${bytes} and ${secondsText(ms / 1000)} behind the source`, ms };
}
