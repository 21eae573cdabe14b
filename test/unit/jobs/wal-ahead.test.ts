import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { parseWalFile, segmentName } from '../../../src/catalog/wal-names.ts';
import { systemClock } from '../../../src/clock.ts';
import { startWalAhead, type WalAhead } from '../../../src/jobs/wal-ahead.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
import { readWal } from '../../../src/wal/read-wal.ts';
import { packWal, storeWal } from '../../../src/wal/store-wal-file.ts';

/** So large that no more than four fit into the spool. */
const SEGMENT = 64 * 2 ** 20;
const files = Array.from({ length: 12 }, (_, at) => segmentName(1, BigInt(at + 1), SEGMENT));
const signal = new AbortController().signal;
let folder: string;
let ahead: WalAhead;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "wal ahead's-"));
});

afterEach(async () => {
  await ahead.end();
  await rm(folder, { recursive: true });
});

/** What the server would do, and how the command ends. */
async function ask(name: string): Promise<number> {
  const command = ahead.command.replaceAll(/%([fp%])/g, (_, of: string) => ({ f: name, p: 'RECOVERYXLOG', '%': '%' })[of]!);
  return await new Promise((resolve) => {
    execFile('sh', ['-c', command], { cwd: folder }, (error) => resolve(error ? Number(error.code) : 0));
  });
}

async function start({ damaged, keeps = false }: { damaged?: string; keeps?: boolean } = {}): Promise<void> {
  const storage = createMemoryStorage({ name: 'memory' });
  for (const name of files) {
    const packed = await packWal(parseWalFile(name, SEGMENT)!, Buffer.from(`content of ${name}`), {
      ...{ source: 'shop', systemIdentifier: '1', codec: 'gzip' as const, level: 1, clock: systemClock, moments: [] },
    });
    const bytes = name === damaged ? Buffer.from(packed.bytes).fill(7, 10, 20) : packed.bytes;
    await storeWal(storage, { ...packed, bytes }, signal);
  }
  const inventory = await readWal({ targets: [storage] }, 'shop', SEGMENT, signal);
  ahead = await startWalAhead({ inventory, files, folder: join(folder, 'spool'), keeps, workers: 2, signal });
}

async function spooled(): Promise<string[]> {
  return (await readdir(join(folder, 'spool'))).filter((name) => /^[0-9A-F]{24}$/.test(name)).sort();
}

test('the server gets each file once, in its order, and never are more than a few there before it asks', async () => {
  await start();
  while ((await spooled()).length < 4) await sleep(5);
  await sleep(100);
  expect(await spooled()).toEqual(files.slice(0, 4));
  for (const name of files) {
    expect([name, await ask(name)]).toEqual([name, 0]);
    expect(await readFile(join(folder, 'RECOVERYXLOG'), 'utf8')).toBe(`content of ${name}`);
    expect((await spooled()).length).toBeLessThanOrEqual(4);
    // It has it, and takes its own.
    expect(await ask(name)).toBe(1);
  }
});

test('files that the server leaves out do not hold up those behind them', async () => {
  await start();
  for (const name of files.slice(3)) expect(await ask(name)).toBe(0);
});

test('files that are kept are there in the end, whatever the server asked for, and one that is damaged is told', async () => {
  await start({ keeps: true });
  expect([await ask(files[1]!), await ask(files[1]!)]).toEqual([0, 0]);
  await ahead.whole();
  await ahead.end();
  expect(await spooled()).toEqual(files);
  await start({ keeps: true, damaged: files[11]! });
  await expect(ahead.whole()).rejects.toThrow('damaged');
});

test('what is not among the files is not there, and after the end nothing is', async () => {
  await start();
  expect(await ask('00000002.history')).toBe(1);
  expect(await ask(segmentName(1, 99n, SEGMENT))).toBe(1);
  await ahead.end();
  expect(await ask(files[0]!)).toBe(1);
  expect(await readdir(folder)).toEqual([]);
});

test('a damaged file makes the server end, and never open without it', async () => {
  await start({ damaged: files[6]! });
  for (const name of files.slice(0, 6)) await ask(name);
  expect(await ask(files[6]!)).toBe(255);
  expect(ahead.failure()).toMatchObject({ code: 'BACKUP_DAMAGED' });
});
