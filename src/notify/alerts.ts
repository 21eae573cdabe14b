import type { Clock } from '../clock.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Ended, Problem } from './alert.ts';
import * as states from './alert-state.ts';
import type { AlertState, Delivery } from './alert-state.ts';
import type { AlertStore } from './alert-store.ts';
import type { Notifier } from './notifier.ts';
import type { Ping, Pinger } from './ping.ts';

/** What a run found. */
export interface Seen {
  readonly raise?: readonly Problem[];
  readonly clear?: readonly Ended[];
}

export interface AlertContext {
  readonly log: Log;
  readonly clock: Clock;
  /** When it aborts, delivery ends soon after; what is not delivered stays due. */
  readonly signal?: AbortSignal;
}

/**
 * Tells people of problems: each once, again after a while, and when it is over. Nothing here rejects and everything ends
 * within the time-out, so that no run fails or hangs because nobody could be told. What was not taken is logged, kept in the
 * state (`backup-manager status` and `notify` show it) and due the next time.
 */
export interface Alerts {
  readonly channels: readonly string[];
  /** Takes note of what was seen and delivers what is due. With nothing seen it delivers what is still due. */
  tell(seen: Seen, context: AlertContext): Promise<void>;
  ping(pinger: Pinger, ping: Ping, context: AlertContext): Promise<void>;
  /** What stands. Throws when it cannot be read. */
  state(signal?: AbortSignal): Promise<AlertState>;
}

export interface AlertsParts {
  /** Retrying where that makes sense: a failure here is final for now. */
  readonly notifiers: readonly Notifier[];
  /** Names of all pingers. */
  readonly pings: readonly string[];
  readonly store: AlertStore;
  readonly repeatMs: number;
  /** How long one `tell` or `ping` may take to deliver. */
  readonly timeoutMs: number;
  readonly redact: (text: string) => string;
}

/** How long to read or write the state. */
const STORE_MS = 5000;
/** What a run that is told to stop still has: less than what it has in all. */
const GRACE_MS = 3000;

export function createAlerts(parts: AlertsParts): Alerts {
  const { notifiers, store } = parts;
  const channels = notifiers.map(({ name }) => name);
  /** What this process knows, for when the state cannot be read. */
  let known: AlertState = states.NOTHING;
  /** One after the other: each reads the state that the last one wrote. */
  let queue = Promise.resolve();

  function exclusively(run: () => Promise<void>, { log }: AlertContext): Promise<void> {
    queue = queue.then(run).catch((error: unknown) => {
      log.error({ err: toBackupError(error) }, 'alerts broke');
    });
    return queue;
  }

  async function load({ log }: AlertContext): Promise<AlertState> {
    try {
      return await store.load(AbortSignal.timeout(STORE_MS));
    } catch (error) {
      log.warn({ error: toBackupError(error).message }, 'what was told before cannot be read: an alert may come a second time');
      return known;
    }
  }

  async function save(state: AlertState, { log, clock }: AlertContext): Promise<void> {
    known = state;
    try {
      await store.save(state, clock.now(), AbortSignal.timeout(STORE_MS));
    } catch (error) {
      log.warn(
        { error: toBackupError(error).message },
        'what was told cannot be kept: after a restart an alert may come a second time',
      );
    }
  }

  async function deliver(deliveries: readonly Delivery[], before: AlertState, context: AlertContext): Promise<AlertState> {
    const { log, clock } = context;
    let state = before;
    await withDeadline(parts.timeoutMs, context.signal, (signal) =>
      Promise.all(
        notifiers.map(async (notifier) => {
          for (const delivery of deliveries) {
            if (delivery.channel !== notifier.name) continue;
            const { status, kind, job } = delivery.alert;
            const facts = { channel: notifier.name, alert: { status, kind, job } };
            try {
              await notifier.send(delivery.alert, signal);
              state = states.delivered(state, delivery, clock.now());
              log.info(facts, 'alert delivered');
            } catch (error) {
              const { message, hint } = toBackupError(error);
              state = states.failed(state, notifier.name, parts.redact(message), clock.now());
              log.error({ ...facts, error: { message, hint } }, 'an alert was not delivered; it is tried again later');
            }
          }
        }),
      ),
    );
    return state;
  }

  return {
    channels,
    tell: (seen, context) =>
      exclusively(async () => {
        if (channels.length === 0) return;
        const now = context.clock.now();
        const before = await load(context);
        let state = before;
        for (const key of seen.clear ?? []) state = states.clear(state, key, now);
        for (const problem of seen.raise ?? []) state = states.raise(state, clean(problem, parts.redact), now);
        const deliveries = states.due(state, channels, now, parts.repeatMs);
        // Kept first: if this process ends now, the next one tells it.
        if (JSON.stringify(state) !== JSON.stringify(before)) await save(state, context);
        if (deliveries.length === 0) return;
        state = await deliver(deliveries, state, context);
        await save(states.tidied(state, channels, parts.pings), context);
      }, context),

    async ping(pinger, ping, context) {
      let failure: BackupError | undefined;
      try {
        await withDeadline(parts.timeoutMs, context.signal, (signal) => pinger.ping(ping, signal));
      } catch (error) {
        failure = toBackupError(error);
        const { message, hint } = failure;
        context.log.error({ channel: pinger.name, event: ping.event, error: { message, hint } }, 'a ping was not delivered');
      }
      await exclusively(async () => {
        const before = await load(context);
        const told = before.undelivered.some(({ channel }) => channel === pinger.name);
        if (failure) await save(states.failed(before, pinger.name, parts.redact(failure.message), context.clock.now()), context);
        else if (told) await save(states.reached(before, pinger.name), context);
      }, context);
    },

    state: (signal) => store.load(AbortSignal.any([AbortSignal.timeout(STORE_MS), ...(signal ? [signal] : [])])),
  };
}

function clean(problem: Problem, redact: (text: string) => string): Problem {
  const { summary, hint, facts = {} } = problem;
  return {
    ...problem,
    summary: redact(summary),
    ...(hint !== undefined && { hint: redact(hint) }),
    facts: Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, redact(value)])),
  };
}

/** Runs with a signal that aborts after `ms`, or shortly after `signal`. */
async function withDeadline<T>(
  ms: number,
  signal: AbortSignal | undefined,
  run: (limited: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const expire = (): void => {
    controller.abort(new BackupError('ALERT_FAILED', `not delivered within ${ms / 1000} s`, { retryable: true }));
  };
  const timer = setTimeout(expire, ms);
  let last: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    last ??= setTimeout(expire, Math.min(ms, GRACE_MS));
  };
  if (signal?.aborted === true) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await run(controller.signal);
  } finally {
    clearTimeout(timer);
    clearTimeout(last);
    signal?.removeEventListener('abort', onAbort);
  }
}
