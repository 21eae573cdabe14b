import { post } from './post.ts';

/** How a run stands. `log` is noted there and changes nothing. */
export type PingEvent = 'start' | 'success' | 'failure' | 'log';

export interface Ping {
  readonly event: PingEvent;
  /** Names the run, so that its start and its end are put together. A UUID. */
  readonly run: string;
  /** What a person should see: of a failure, the end of the log. */
  readonly body?: string;
  /** With what the run ended. */
  readonly exitStatus?: number;
}

/**
 * A dead man's switch: somebody elsewhere expects these pings and raises the alarm when they stay away, even if this machine
 * is gone. Protocol: https://healthchecks.io/docs/http_api/
 */
export interface Pinger {
  readonly name: string;
  /** Throws as `Notifier.send` does. */
  ping(ping: Ping, signal: AbortSignal): Promise<void>;
}

/** Healthchecks takes 100 kB. */
const BODY_CHARACTERS = 20_000;

export interface PingerOptions {
  /** For messages and for what is remembered, such as `ping nightly-backup`. */
  readonly name: string;
  readonly url: string;
  /** Whether a failure is told as `/<exit status>` instead of `/fail`. */
  readonly exitStatus: boolean;
}

export function createPinger({ name, url, exitStatus: asExitStatus }: PingerOptions): Pinger {
  return {
    name,
    ping: ({ event, run, body = '', exitStatus = 1 }, signal) => {
      const paths = { start: '/start', success: '', failure: asExitStatus ? `/${exitStatus}` : '/fail', log: '/log' };
      const address = new URL(url);
      address.pathname = address.pathname.replace(/\/$/, '') + paths[event];
      address.searchParams.set('rid', run);
      return post(
        { name, url: address.href, body: body.slice(-BODY_CHARACTERS), headers: { 'Content-Type': 'text/plain; charset=utf-8' } },
        signal,
      );
    },
  };
}
