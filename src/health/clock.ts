import type { BackupError } from '../errors.ts';
import { fail, ok, unchecked, warn, type HealthCheck } from './check.ts';

/** Labels have seconds, and reports are compared with the server's times. */
const WARN_MS = 10_000;
/** Beyond this, ages, schedules and signatures of requests to a bucket are wrong. */
const FAIL_MS = 5 * 60_000;

/** One question for the server's time: our clock before and after, and what the server said in between. */
export interface ClockReading {
  readonly before: Date;
  readonly server: Date;
  readonly after: Date;
}

/** How far our clock is ahead of the server's, ms; 0 as long as the answer's way explains the difference. */
export function clockOffset({ before, server, after }: ClockReading): number {
  if (server < before) return before.getTime() - server.getTime();
  return server > after ? after.getTime() - server.getTime() : 0;
}

/** Our clock beside the server's. */
export function checkClock(reading: ClockReading | BackupError): HealthCheck {
  const subject = { check: 'clock' } as const;
  if (reading instanceof Error) return unchecked(subject, 'warn', reading);
  const offset = clockOffset(reading);
  const seconds = Math.round(Math.abs(offset) / 1000);
  if (seconds === 0) return ok(subject, "agrees with the server's");
  const says = `${seconds} s ${offset > 0 ? 'ahead of' : 'behind'} the server's`;
  const hint = 'Find out which of the two is wrong, and let both machines keep their time by NTP.';
  if (Math.abs(offset) > FAIL_MS) return fail(subject, `${says}: ages and times of backups cannot be relied on`, hint);
  return Math.abs(offset) > WARN_MS ? warn(subject, says, hint) : ok(subject, says);
}
