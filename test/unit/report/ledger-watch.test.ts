import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { generateKey, readSigningKey } from '../../../src/report/evidence-key.ts';
import { createLedger, type Ledger } from '../../../src/report/ledger.ts';
import type { LedgerEntry } from '../../../src/report/ledger-entry.ts';
import { LedgerWatch } from '../../../src/report/ledger-watch.ts';
import { clockAt } from '../../support/sample-ledger.ts';

/** More than is read at a time. */
const ENTRIES = 600;
const LONG = 'x'.repeat(4000);

let folder: string;
let file: string;
let ledger: Ledger;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ledger-watch-test-'));
  file = join(folder, 'ledger.jsonl');
  const key = readSigningKey(generateKey().privatePem);
  ledger = createLedger({ folder, root: folder, key, clock: clockAt('2026-01-01T00:00:00Z') });
  await enter(ENTRIES);
});

afterEach(() => rm(folder, { recursive: true }));

async function enter(count: number): Promise<void> {
  await ledger.append(() =>
    Array.from({ length: count }, () => ({ kind: 'reports removed', files: [LONG], why: 'age' }) as const),
  );
}

const at = (text: string) => new Date(`2026-01-0${text}Z`);

describe('The ledger of many sources', () => {
  test('is begun with what it says of schedules and slots, not with the runs of each database', async () => {
    const job = { kind: 'job', job: 'health-check', state: 'done' } as const;
    const due = '2026-01-01T00:00:00.000Z';
    await ledger.append(() => [
      { ...job, source: 'all.a', due },
      { ...job, source: 'all.b', due },
      { ...job, source: 'all', slot: due },
      { ...job, source: 'all', due, sameSlotAs: ENTRIES + 3 },
      { ...job, source: 'all.b', startedAt: due },
    ]);
    let seen: readonly LedgerEntry[] = [];
    const head = await ledger.append(
      (entries) => {
        seen = entries;
        return [{ kind: 'daemon started', version: '1.0.0' }];
      },
      { whole: true },
    );
    expect(seen.map(({ number }) => number)).toEqual([
      ...Array.from({ length: ENTRIES }, (_, at) => at + 1),
      ...[ENTRIES + 3, ENTRIES + 4, ENTRIES + 5],
    ]);
    expect(head!.number).toBe(ENTRIES + 6);
    expect(await new LedgerWatch(ledger).look(at('1T01:00'))).toMatchObject({ lines: ENTRIES + 6, breaks: [] });
  });

  test('is read wholly once for all of them, then from where it ended, and wholly again after a day', async () => {
    const watch = new LedgerWatch(ledger);
    const looks = await Promise.all(Array.from({ length: 50 }, () => watch.look(at('1T01:00'))));
    expect(looks.map(({ read }) => read)).toEqual([ENTRIES, ...Array.from({ length: 49 }, () => 1)]);
    await enter(3);
    expect(await watch.look(at('1T02:00'))).toMatchObject({ read: 4, lines: ENTRIES + 3, signed: true, breaks: [] });
    expect(await watch.look(at('2T02:00'))).toMatchObject({ read: ENTRIES + 3, lines: ENTRIES + 3, breaks: [] });
  });

  test('is broken wherever a line was changed, is told so to all of a round, and is whole again when it was mended', async () => {
    const whole = await readFile(file, 'utf8');
    const lines = whole.split('\n');
    lines[400] = lines[400]!.replace('"why":"age"', '"why":"agf"');
    await writeFile(file, lines.join('\n'));
    const watch = new LedgerWatch(ledger);
    const look = await watch.look(at('1T01:00'));
    expect(look.breaks).toEqual([
      expect.stringContaining('line 402: it names'),
      'line 401: its signature is not of what it says',
    ]);
    // Another run is entered.
    await appendFile(file, `${lines[0]!}\n`);
    expect(await watch.look(at('1T01:01'))).toBe(look);
    expect((await watch.look(at('1T02:00'))).breaks.length).toBeGreaterThan(look.breaks.length);
    await writeFile(file, whole);
    expect(await watch.look(at('1T02:01'))).toMatchObject({ read: ENTRIES, breaks: [] });
  });

  test('is broken when its end was cut off after the last look', async () => {
    const watch = new LedgerWatch(ledger);
    await watch.look(at('1T01:00'));
    const lines = (await readFile(file, 'utf8')).split('\n');
    await writeFile(file, `${lines.slice(0, 10).join('\n')}\n`);
    expect((await watch.look(at('1T02:00'))).breaks).toEqual([expect.stringContaining(`entry ${ENTRIES} is not what it was`)]);
  });
});
