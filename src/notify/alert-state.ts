import { keyParts, severityOf, type Alert, type Ended, type Problem, type ProblemKey, type SharedBy } from './alert.ts';

/** What came up and was told, as it is kept between runs. Times are ISO 8601, UTC. */
export interface AlertState {
  readonly version: 1;
  readonly problems: readonly StandingProblem[];
  /** Channels that did not take what they were last given. */
  readonly undelivered: readonly Undelivered[];
}

export interface StandingProblem extends Omit<Problem, 'cause' | 'follows'>, Partial<SharedBy> {
  readonly since: string;
  /** When it was last seen. */
  readonly seen: string;
  readonly times: number;
  /** Since when it is over; it stays here until every channel knows. */
  readonly over?: string;
  /** Why nobody looks at it any more. */
  readonly endedBy?: string;
  /** By channel: when it was last told of the problem or, when that is over, of the recovery. */
  readonly told: Readonly<Record<string, string>>;
}

export interface Undelivered {
  readonly channel: string;
  readonly since: string;
  readonly attempts: number;
  readonly message: string;
}

export interface Delivery {
  readonly channel: string;
  readonly alert: Alert;
}

export const NOTHING: AlertState = { version: 1, problems: [], undelivered: [] };

const isSame = (a: ProblemKey, b: ProblemKey): boolean =>
  a.source === b.source && a.job === b.job && a.kind === b.kind && a.object === b.object;

const isShared = (each: StandingProblem, { source, ...key }: ProblemKey): boolean =>
  each.seenIn?.includes(source) === true && isSame(each, { ...key, source: each.source });

/**
 * `problem` was seen. One that stood already is counted; one that was over comes up anew. One that has a cause is that of the cause,
 * unless the source has been told of as such.
 */
export function raise(state: AlertState, { cause, follows, ...problem }: Problem, now: Date): AlertState {
  const shared = state.problems.find((each) => isShared(each, problem));
  if (shared && (cause?.name === shared.source || follows === true)) {
    return put(state, { ...problem, source: shared.source, concerns: cause?.sources ?? shared.concerns! }, problem.source, now);
  }
  const rest = shared ? leave(state, shared, problem.source, now) : state;
  const isTold = rest.problems.some((each) => isSame(each, problem) && each.over === undefined);
  if (!cause || isTold) return put(rest, problem, undefined, now);
  return put(rest, { ...problem, source: cause.name, concerns: cause.sources }, problem.source, now);
}

type Draft = Omit<StandingProblem, 'since' | 'seen' | 'times' | 'told' | 'seenIn'>;

function put(state: AlertState, draft: Draft, seenIn: string | undefined, now: Date): AlertState {
  const at = now.toISOString();
  const standing = state.problems.find((each) => isSame(each, draft));
  const others = state.problems.filter((each) => each !== standing);
  const before = standing?.over === undefined ? standing : undefined;
  const next: StandingProblem = {
    ...draft,
    ...(seenIn !== undefined && { seenIn: [...new Set([...(before?.seenIn ?? []), seenIn])] }),
    ...(before
      ? { since: before.since, seen: at, times: before.times + 1, told: before.told }
      : { since: at, seen: at, times: 1, told: {} }),
  };
  return { ...state, problems: [...others, next] };
}

/** What `key` names was looked at and is well, or nobody looks at it any more. Nothing happens unless it was a problem, or a part of one. */
export function clear(state: AlertState, { why, ...key }: Ended, now: Date): AlertState {
  const shared = state.problems.find((each) => isShared(each, key));
  const rest = shared ? leave(state, shared, key.source, now) : state;
  return { ...rest, problems: rest.problems.map((each) => (isSame(each, key) ? ended(each, now, why) : each)) };
}

/** What stands, by source; of what several have in common, one for each of these. */
export function keysOf({ problems }: AlertState): ProblemKey[] {
  return problems
    .filter(({ over }) => over === undefined)
    .flatMap(({ source, seenIn = [source], job, kind, object }) =>
      seenIn.map((each) => ({ source: each, job, kind, ...(object !== undefined && { object }) })),
    );
}

/** It is over when it is for the last of its sources. */
function leave(state: AlertState, shared: StandingProblem, source: string, now: Date): AlertState {
  const left = { ...shared, seenIn: shared.seenIn!.filter((each) => each !== source) };
  return {
    ...state,
    problems: state.problems.map((each) => (each !== shared ? each : left.seenIn.length === 0 ? ended(left, now) : left)),
  };
}

function ended(problem: StandingProblem, now: Date, why?: string): StandingProblem {
  if (problem.over !== undefined) return problem;
  return { ...problem, over: now.toISOString(), ...(why !== undefined && { endedBy: why }), told: {} };
}

/**
 * Who has to be told what: of a problem once, again only when it was seen again after `repeatMs`; of its end once. What a
 * channel did not take stays due.
 */
export function due(state: AlertState, channels: readonly string[], now: Date, repeatMs: number): Delivery[] {
  return state.problems.flatMap((problem) =>
    channels.filter((channel) => isDue(problem, channel, now, repeatMs)).map((channel) => ({ channel, alert: alertOf(problem) })),
  );
}

function isDue(problem: StandingProblem, channel: string, now: Date, repeatMs: number): boolean {
  const told = problem.told[channel];
  if (told === undefined) return true;
  if (problem.over !== undefined) return false;
  const since = now.getTime() - Date.parse(told);
  // A clock that was set back must not silence a problem.
  return since < 0 || (since >= repeatMs && problem.seen > told);
}

function alertOf({ over, told: _told, seen, ...problem }: StandingProblem): Alert {
  const status = over === undefined ? 'problem' : 'recovery';
  const at = over ?? seen;
  const id = [...keyParts(problem), problem.since, status, at].map(encodeURIComponent).join('/');
  return { ...problem, status, id, at, severity: severityOf(problem.kind) };
}

/** A channel took `delivery`. */
export function delivered(state: AlertState, { channel, alert }: Delivery, now: Date): AlertState {
  return {
    ...reached(state, channel),
    problems: state.problems.map((each) =>
      isSame(each, alert) && (each.over === undefined) === (alert.status === 'problem')
        ? { ...each, told: { ...each.told, [channel]: now.toISOString() } }
        : each,
    ),
  };
}

/** A channel did not take what it was given. */
export function failed(state: AlertState, channel: string, message: string, now: Date): AlertState {
  const before = state.undelivered.find((each) => each.channel === channel);
  const next = { channel, since: before?.since ?? now.toISOString(), attempts: (before?.attempts ?? 0) + 1, message };
  return { ...state, undelivered: [...state.undelivered.filter((each) => each !== before), next] };
}

/** A channel took something that is no alert: a ping. */
export function reached(state: AlertState, channel: string): AlertState {
  return { ...state, undelivered: state.undelivered.filter((each) => each.channel !== channel) };
}

/** Without what is over and known to all of `channels`, and what was said of others. */
export function tidied(state: AlertState, channels: readonly string[], pings: readonly string[]): AlertState {
  return {
    ...state,
    problems: state.problems.filter(
      ({ over, told }) => over === undefined || channels.some((channel) => told[channel] === undefined),
    ),
    undelivered: state.undelivered.filter(({ channel }) => channels.includes(channel) || pings.includes(channel)),
  };
}
