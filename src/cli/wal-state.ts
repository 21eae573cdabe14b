import { checkMayStream } from '../health/replication.ts';
import { checkWalStream } from '../health/wal-stream.ts';
import { mayStream } from '../jobs/may-stream.ts';
import { isStreamed, readStreamState } from '../wal/stream-state.ts';
import { secondsText } from '../quantities.ts';
import type { CommandContext } from './command.ts';

/** How long the server has to answer. */
const ASK_MS = 15_000;

/** How the stream of WAL stands, for `status`. */
export interface WalState {
  /** Why there is none, where that is left to the server. */
  readonly off?: string;
  /** The newest moment up to which every commit of the source is here. */
  readonly recoverableTo?: string;
  /** What a loss of the source now would cost. */
  readonly achievedRpoSeconds?: number;
  readonly checks: readonly { readonly name: string; readonly verdict: string; readonly says: string }[];
}

/** `undefined` where point-in-time recovery is switched off. Reads what the daemon has noted; asks the server only why there is no stream. */
export async function walState({ parts, clock, signal }: CommandContext): Promise<WalState | undefined> {
  const { enabled, folder, limits } = parts.wal;
  if (enabled === false) return undefined;
  if (!(await isStreamed(parts.wal))) {
    const { says } = checkMayStream(await mayStream(parts.wal, ASK_MS, signal));
    return { off: says, checks: [] };
  }
  const now = clock.now();
  const state = await readStreamState(folder);
  const checks = checkWalStream(state, limits, now).map(({ check, object, verdict, says }) => ({
    ...{ name: object === undefined ? check : `${check} ${object}`, verdict, says },
  }));
  const time = state?.received?.time;
  return { ...(time !== undefined && { recoverableTo: time, achievedRpoSeconds: achieved(time, now) }), checks };
}

/** Lines of `status`. */
export function walFacts(state: WalState | undefined): (readonly [string, string])[] {
  if (!state) return [];
  const { off, recoverableTo, achievedRpoSeconds, checks } = state;
  if (off !== undefined) return [['any instant', off]];
  return [
    [
      'newest instant',
      recoverableTo === undefined || achievedRpoSeconds === undefined
        ? 'not known yet'
        : `${recoverableTo}: a loss now would cost ${secondsText(achievedRpoSeconds)}`,
    ],
    ...checks.map(({ name, verdict, says }) => [name, verdict === 'ok' ? says : `${says} (${verdict})`] as const),
  ];
}

/** Seconds between the newest instant that can be recovered and now: the recovery point that is achieved. */
export function achieved(time: string, now: Date): number {
  return Math.max(0, Math.round(now.getTime() - Date.parse(time)) / 1000);
}
