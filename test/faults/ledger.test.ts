import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/clock.ts';
import { createLedger } from '../../src/report/ledger.ts';
import { splitLines } from '../../src/report/ledger-line.ts';
import { verifyLedger } from '../../src/report/verify-ledger.ts';
import { slotsBetween } from '../../src/scheduler.ts';
import { testWithMounts, withMount } from '../support/mounting.ts';
import { seededRandom } from '../support/random.ts';

const WRITER = fileURLToPath(new URL('../support/ledger-writer.ts', import.meta.url));
const SEED = 20_260_101;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ledger-fault-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

interface Writer {
  readonly process: ChildProcess;
  /** Numbers of the entries that it was told are durable. */
  readonly numbers: number[];
  readonly ended: Promise<number | null>;
}

function startWriter(name: string, count: number): Writer {
  const child = spawn(process.execPath, [WRITER, folder, name, String(count)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const numbers: number[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop()!;
    numbers.push(...parts.map(Number));
  });
  return { process: child, numbers, ended: once(child, 'close').then(([status]) => status as number | null) };
}

const ledgerBytes = () => readFile(join(folder, 'ledger.jsonl'));
const ledgerIn = (path: string) => createLedger({ folder: path, root: path, clock: systemClock });

async function verdictOf(path = folder) {
  const now = systemClock.now();
  return verifyLedger({ folder: path, keys: [], now, slotsBetween, targets: [], signal: new AbortController().signal });
}

describe('The ledger', () => {
  test('takes hundreds of entries of three processes at once, each exactly once and in one chain', async () => {
    const writers = ['a', 'b', 'c'].map((name) => startWriter(name, 80));
    expect(await Promise.all(writers.map(({ ended }) => ended))).toEqual([0, 0, 0]);
    const said = writers.flatMap(({ numbers }) => numbers).sort((a, b) => a - b);
    expect(said).toEqual(Array.from({ length: 240 }, (_, index) => index + 1));
    expect(await verdictOf()).toMatchObject({ breaks: [], entries: 240 });
    const jobs = splitLines(await ledgerBytes()).map(({ entry }) => (entry?.kind === 'job' ? entry.job : ''));
    expect(new Set(jobs).size).toBe(240);
  });

  test(`loses nothing that was durable when its writer dies of SIGKILL, at whatever moment (seed ${SEED})`, async () => {
    const random = seededRandom(SEED);
    let durable = 0;
    for (let round = 0; round < 8; round += 1) {
      const writer = startWriter(`round ${round}`, 1000);
      while (writer.numbers.length === 0) await sleep(5);
      await sleep(random() * 60);
      writer.process.kill('SIGKILL');
      await writer.ended;
      durable = Math.max(durable, ...writer.numbers);
      const before = await verdictOf();
      expect(before).toMatchObject({ breaks: [] });
      expect(before.entries).toBeGreaterThanOrEqual(durable);
    }
    await ledgerIn(folder).append(() => [{ kind: 'daemon started', version: '1' }]);
    expect((await verdictOf()).breaks).toEqual([]);
    await expect(stat(join(folder, 'ledger.pending'))).rejects.toThrow('ENOENT');
  });

  test('is completed wherever in a line the append was cut off', async () => {
    const ledger = ledgerIn(folder);
    await ledger.append(() => [{ kind: 'daemon started', version: '1' }]);
    const one = await ledgerBytes();
    await ledger.append(() => [{ kind: 'daemon started', version: '2' }]);
    const two = await ledgerBytes();
    const pending = Buffer.concat([Buffer.from(`${one.length}\n`), two.subarray(one.length)]);
    for (const cut of [one.length, one.length + 1, two.length - 2, two.length - 1, two.length]) {
      await writeFile(join(folder, 'ledger.jsonl'), two.subarray(0, cut));
      await writeFile(join(folder, 'ledger.pending'), pending);
      expect(await verdictOf()).toMatchObject({ breaks: [], entries: 2 });
      await ledger.append(() => [{ kind: 'daemon started', version: '3' }]);
      expect((await ledgerBytes()).subarray(0, two.length)).toEqual(two);
      expect(await verdictOf()).toMatchObject({ breaks: [], entries: cut === two.length ? 3 : 4 });
    }
  });

  testWithMounts('on a full disk refuses an entry, stays as it was, and takes it when there is space again', async () => {
    const small = join(folder, 'small');
    await withMount(small, 'size=64k', async () => {
      const ledger = ledgerIn(small);
      await ledger.append(() => [{ kind: 'daemon started', version: '1' }]);
      const before = await readFile(join(small, 'ledger.jsonl'));
      const filler = await open(join(small, 'filler'), 'w');
      // Two pages are left: the announcement gets its place, the entry itself does not.
      await filler.write(Buffer.alloc(64 * 1024 - 3 * 4096));
      await filler.close();
      const large = { kind: 'job', job: 'x', state: 'failed', why: 'y'.repeat(7000) } as const;
      await expect(ledger.append(() => [large])).rejects.toMatchObject({ code: 'STORAGE_FULL' });
      expect(await readFile(join(small, 'ledger.jsonl'))).toEqual(before);
      expect(await verdictOf(small)).toMatchObject({ breaks: [], entries: 1 });
      await rm(join(small, 'filler'));
      await ledger.append(() => [large]);
      expect(await verdictOf(small)).toMatchObject({ breaks: [], entries: 2 });
    });
  });
});
