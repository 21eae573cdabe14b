import { checkWalStream } from '../health/wal-stream.ts';
import { readStreamState } from '../wal/stream-state.ts';
import { secondsText } from '../quantities.ts';
import type { CommandContext } from './command.ts';

/** How the stream of WAL stands, for `status`. */
export interface WalState {
  /** The newest moment up to which every commit of the source is here. */
  readonly recoverableTo?: string;
  /** What a loss of the source now would cost. */
  readonly achievedRpoSeconds?: number;
  readonly checks: readonly { readonly name: string; readonly verdict: string; readonly says: string }[];
}

/** `undefined` where point-in-time recovery is not enabled. Reads what the daemon has noted; asks nobody. */
export async function walState({ parts, config, clock }: CommandContext): Promise<WalState | undefined> {
  if (!config.pitr.enabled) return undefined;
  const { folder, limits } = parts.wal;
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
  const { recoverableTo, achievedRpoSeconds, checks } = state;
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
