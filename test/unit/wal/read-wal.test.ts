import { expect, test } from '@jest/globals';
import { parseWalFile, partialName, segmentName } from '../../../src/catalog/wal-names.ts';
import { systemClock } from '../../../src/clock.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
import { fetchWal, readWal, recoverableFrom } from '../../../src/wal/read-wal.ts';
import { packWal, storeOpenSegment, storeWal } from '../../../src/wal/store-wal-file.ts';

const SEGMENT = 2 ** 20;
const signal = new AbortController().signal;

test('the newest instant is known however many segments were filled since the last look at the source', async () => {
  const storage = createMemoryStorage({ name: 'memory' });
  for (let number = 1; number <= 9; number += 1) {
    const moments = number === 2 ? [{ time: '2026-01-31T14:05:00.000000Z', lsn: '0/280000' }] : [];
    const packed = await packWal(parseWalFile(segmentName(1, BigInt(number), SEGMENT), SEGMENT)!, Buffer.from('WAL'), {
      ...{ source: 'shop', systemIdentifier: '1', codec: 'gzip' as const, level: 1, clock: systemClock, moments },
    });
    await storeWal(storage, packed, signal);
  }
  const base = {
    label: 'base_shop',
    timeline: 1,
    startLsn: '0/100028',
    endLsn: '0/100100',
    includesWal: false,
    systemIdentifier: '1',
  };
  const inventory = await readWal({ targets: [storage] }, 'shop', SEGMENT, signal);
  const { windows } = await recoverableFrom([{ ...base, finishedAt: '2026-01-31T14:00:00.000000Z' }], inventory);
  expect(windows).toMatchObject([{ toLsn: '0/A00000', toTime: '2026-01-31T14:05:00.000000Z' }]);
});

test('an open segment that no server has written into yet is of any server', async () => {
  const storage = createMemoryStorage({ name: 'memory' });
  const name = partialName(segmentName(1, 1n, SEGMENT));
  const packed = await packWal(parseWalFile(name, SEGMENT)!, Buffer.alloc(SEGMENT), {
    ...{ source: 'shop', systemIdentifier: '1', codec: 'gzip', level: 1, clock: systemClock, moments: [] },
  });
  await storeOpenSegment(storage, packed, signal);
  const inventory = await readWal({ targets: [storage] }, 'shop', SEGMENT, signal);
  expect(await fetchWal({ ...inventory, systemIdentifier: '1' }, name, signal)).toHaveLength(SEGMENT);
});
