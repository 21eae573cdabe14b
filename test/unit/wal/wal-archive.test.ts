import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { partialName, segmentName } from '../../../src/catalog/wal-names.ts';
import { systemClock } from '../../../src/clock.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
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
  const archive = new WalArchive({
    ...{ folder, segmentBytes: SEGMENT, source: 'shop', systemIdentifier: '1', codec: 'gzip', level: 1, clock: systemClock },
    ...{ targets: [target], openTargets: [target] },
  });
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
