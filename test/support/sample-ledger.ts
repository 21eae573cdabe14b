import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../src/clock.ts';
import { Evidence } from '../../src/jobs/evidence.ts';
import { generateKey, readSigningKey, type PublicKey, type SigningKey } from '../../src/report/evidence-key.ts';
import { createLedger, type Ledger } from '../../src/report/ledger.ts';
import { slotsBetween } from '../../src/scheduler.ts';
import type { Storage } from '../../src/storage/storage.ts';

/** A clock that stands until it is set. */
export interface SetClock extends Clock {
  set(time: string): void;
}

export function clockAt(time: string): SetClock {
  let now = new Date(time);
  return { now: () => now, monotonic: () => now.getTime(), set: (text) => void (now = new Date(text)) };
}

export interface SampleLedger {
  readonly folder: string;
  readonly ledger: Ledger;
  readonly evidence: Evidence;
  readonly clock: SetClock;
  readonly publicKey: PublicKey;
  readonly privatePem: string;
}

export const DAILY = { job: 'nightly-backup', expression: '0 2 * * *', timeZone: 'UTC' };

export function openSample(folder: string, clock: SetClock, key?: SigningKey) {
  const ledger = createLedger({ folder, root: folder, clock, ...(key && { key }) });
  const evidence = new Evidence({ ledger, reports: [], slotsBetween, redact: (text) => text });
  return { ledger, evidence };
}

/** A signed ledger of four days: a run each night, the second by hand once more, the third missed; with its reports. */
export async function sampleLedger(folder: string, targets: readonly Storage[] = []): Promise<SampleLedger> {
  await mkdir(folder, { recursive: true });
  const clock = clockAt('2026-01-01T12:00:00Z');
  const { privatePem, publicKey } = generateKey();
  const key = readSigningKey(privatePem);
  const run = (evidence: Evidence, due: string | undefined) => runOnce(evidence, folder, clock, due, targets);
  const first = openSample(folder, clock, key).evidence;
  await first.begin([DAILY], '1.0.0');
  await run(first, '2026-01-02T02:00:00Z');
  await run(first, '2026-01-03T02:00:00Z');
  clock.set('2026-01-03T09:00:00Z');
  await run(first, undefined);
  clock.set('2026-01-04T12:00:00Z');
  const { ledger, evidence } = openSample(folder, clock, key);
  await evidence.begin([DAILY], '1.0.0');
  await run(evidence, '2026-01-05T02:00:00Z');
  return { folder, ledger, evidence, clock, publicKey, privatePem };
}

/** Enters a run that took five minutes, with a report, and stores the head. */
export async function runOnce(
  evidence: Evidence,
  folder: string,
  clock: SetClock,
  due: string | undefined,
  targets: readonly Storage[] = [],
): Promise<void> {
  const start = due ?? clock.now().toISOString();
  clock.set(new Date(Date.parse(start) + 5 * 60_000).toISOString());
  const report = join(folder, `backup_report_${createHash('sha256').update(start).digest('hex').slice(0, 8)}.json`);
  await writeFile(report, `{"started": "${start}"}\n`);
  const slot = due === undefined ? undefined : new Date(due);
  const head = await evidence.enter({ job: DAILY.job, slot, state: 'done', result: 'success', exitStatus: 0, report });
  const signal = new AbortController().signal;
  if (head) await evidence.storeHead(head, targets, { log: { error: () => undefined } as never, signal });
}
