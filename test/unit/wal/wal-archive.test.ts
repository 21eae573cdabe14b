import { randomBytes } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { readObject } from '../../../src/catalog/catalog.ts';
import { parseWalFile, partialName, segmentName, walKey } from '../../../src/catalog/wal-names.ts';
import { systemClock } from '../../../src/clock.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import { WalArchive } from '../../../src/wal/wal-archive.ts';

const SEGMENT = 2 ** 20;
const signal = new AbortController().signal;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wal-archive-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('a target that lacks a segment has what was copied of it while it was open', async () => {
  const target = createMemoryStorage({ name: 'bucket' });
  const archive = archiveOf([target], [target]);
  const moment = { time: '2026-01-31T14:05:00.000000Z', lsn: '0/100028' };
  archive.moments.resume(moment);
  const name = segmentName(1, 1n, SEGMENT);
  const path = join(folder, name);
  await writeFile(partialName(path), Buffer.alloc(SEGMENT));
  await archive.copyOpenSegment(target, signal);
  await rename(partialName(path), path);
  const lacks = { target: 'bucket', waitingFiles: 1, waitingBytes: SEGMENT };
  expect(await archive.view()).toEqual([{ ...lacks, reached: moment }]);
});

test('files that are packed at once, and one after another, keep their own bytes', async () => {
  const targets = ['disk', 'bucket'].map((name) => createMemoryStorage({ name }));
  const archive = archiveOf(targets, targets);
  const contents = new Map([1, 2, 3].map((number) => [segmentName(1, BigInt(number), SEGMENT), randomBytes(SEGMENT)]));
  const history = '00000002.history';
  for (const [name, bytes] of contents) await writeFile(join(folder, name), bytes);
  const open = segmentName(1, 4n, SEGMENT);
  await writeFile(join(folder, partialName(open)), Buffer.alloc(SEGMENT, 'open'));
  await Promise.all(targets.flatMap((target) => [archive.store(target, signal), archive.copyOpenSegment(target, signal)]));
  await writeFile(join(folder, history), 'a short one');
  await archive.store(targets[0]!, signal);
  for (const target of targets) {
    for (const [name, bytes] of contents) expect(bytes.equals(await stored(target, name))).toBe(true);
    expect(Buffer.alloc(SEGMENT, 'open').equals(await stored(target, partialName(open)))).toBe(true);
  }
  expect(String(await stored(targets[0]!, history))).toBe('a short one');
});

test('the finished segments of a target go as far as a look on their timeline before their end', async () => {
  const target = createMemoryStorage({ name: 'bucket' });
  const archive = archiveOf([target], [target]);
  const look = { time: '2026-01-31T14:05:00.000000Z', lsn: '0/1FFFFF' };
  await writeFile(join(folder, segmentName(1, 1n, SEGMENT)), Buffer.alloc(SEGMENT));
  expect(archive.hasFinished(target, { ...look, timeline: 1 })).toBe(false);
  await archive.store(target, signal);
  expect(archive.hasFinished(target, { ...look, timeline: 1 })).toBe(true);
  expect(archive.hasFinished(target, { ...look, lsn: '0/200000', timeline: 1 })).toBe(true);
  expect(archive.hasFinished(target, { ...look, lsn: '0/200001', timeline: 1 })).toBe(false);
  expect(archive.hasFinished(target, { ...look, timeline: 2 })).toBe(false);
  // Of a standby it is not known on which timeline it has replayed.
  expect(archive.hasFinished(target, look)).toBe(false);
});

function archiveOf(targets: readonly Storage[], openTargets: readonly Storage[]): WalArchive {
  return new WalArchive({
    ...{ folder, segmentBytes: SEGMENT, source: 'shop', systemIdentifier: '1', codec: 'gzip', level: 1, clock: systemClock },
    ...{ targets, openTargets },
  });
}

async function stored(target: Storage, name: string): Promise<Buffer> {
  const key = walKey('shop', parseWalFile(name, SEGMENT)!, 'gzip');
  return gunzipSync(await readObject(target, key, signal));
}
