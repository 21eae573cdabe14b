import { expect, test } from '@jest/globals';
import { microseconds, readTransactionEnds, type TransactionEnd } from '../../../src/drill/transaction-ends.ts';

const LINES = [
  'rmgr: Transaction len (rec/tot):     34/    34, tx:        741, lsn: 0/0301A2B8, prev 0/0301A280, desc: COMMIT 2026-01-31 14:05:00.123456 UTC',
  'rmgr: Transaction len (rec/tot):     66/    66, tx:        742, lsn: 0/0301A300, prev 0/0301A2B8, desc: ABORT 2026-01-31 14:05:01 UTC; rels: base/5/16384',
  'rmgr: Transaction len (rec/tot):    101/   101, tx:        743, lsn: 0/0301A380, prev 0/0301A300, desc: PREPARE gid a: 2026-01-31 14:05:02.000000 UTC',
  'rmgr: Transaction len (rec/tot):     58/    58, tx:          0, lsn: 1/0301A400, prev 0/0301A380, desc: COMMIT_PREPARED 743: 2026-01-31 14:05:03.000001 UTC',
  'rmgr: Transaction len (rec/tot):     70/    70, tx:        744, lsn: 1/0301A500, prev 1/0301A400, desc: INVALIDATION ; inval msgs: catcache 55',
].join('\n');

test('ends of transactions are read from what pg_waldump writes, wherever its pieces are cut', async () => {
  for (const size of [1, 7, 100, LINES.length]) {
    const found: TransactionEnd[] = [];
    const reader = readTransactionEnds(async (ends) => void found.push(...ends));
    for (let at = 0; at < LINES.length; at += size) await reader.write(Buffer.from(LINES.slice(at, at + size)));
    await reader.end();
    expect(found.map(({ xid, lsn, committed }) => [xid, lsn, committed])).toEqual([
      [741, '0/0301A2B8', true],
      [742, '0/0301A300', false],
      [743, '1/0301A400', true],
    ]);
    expect(found[0]!.time).toBe(microseconds('2026-01-31T14:05:00.123456Z'));
  }
});

test('times are compared to the microsecond', () => {
  expect(microseconds('2026-01-31T14:05:00.1Z') - microseconds('2026-01-31T14:05:00Z')).toBe(100_000n);
  expect(microseconds('2026-01-31T15:05:00.000001+01:00') - microseconds('2026-01-31T14:05:00Z')).toBe(1n);
});
