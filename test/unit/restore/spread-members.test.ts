import { describe, expect, test } from '@jest/globals';

import type { ReadMember } from '../../../src/restore/member-reader.ts';
import { spreadMembers } from '../../../src/restore/spread-members.ts';

function member(index: number, table: number, continues = false): ReadMember {
  const entry = { kind: 'chunk' as const, table, offset: 0, length: 1, rawLength: 1, rows: 1, sha256: '' };
  return { index, entry: continues ? { ...entry, continues } : entry, bytes: Buffer.alloc(1) };
}

function reader(...members: ReadMember[]) {
  let read = 0;
  const iterator = (async function* () {
    for (const each of members) {
      read += 1;
      yield await Promise.resolve(each);
    }
  })();
  return { spread: spreadMembers(iterator), read: () => read };
}

const never = (): boolean => false;

describe('blocks in the order of who asks', () => {
  test('a block of a table that nobody loads is preferred; nothing is read ahead without need', async () => {
    const { spread, read } = reader(member(0, 1), member(1, 1), member(2, 2), member(3, 1));
    expect((await spread.next(never))?.index).toBe(0);
    expect(read()).toBe(1);
    expect((await spread.next((table) => table === 1))?.index).toBe(2);
    expect((await spread.next(never))?.index).toBe(1);
    expect((await spread.next(never))?.index).toBe(3);
    expect(await spread.next(never)).toBeUndefined();
  });

  test('when all that is near is busy the first is given, and only so many are held', async () => {
    const { spread, read } = reader(...Array.from({ length: 40 }, (_, i) => member(i, 1)));
    expect((await spread.next(() => true))?.index).toBe(0);
    expect(read()).toBeLessThan(10);
    expect((await spread.next(() => true))?.index).toBe(1);
  });

  test('a block of several members is not torn apart and not overtaken', async () => {
    const { spread } = reader(member(0, 1), member(1, 2, true), member(2, 2), member(3, 3));
    expect((await spread.next((table) => table === 1))?.index).toBe(0);
    expect((await spread.next((table) => table === 2))?.index).toBe(1);
    expect((await spread.following())?.index).toBe(2);
    expect((await spread.next(never))?.index).toBe(3);
    expect(await spread.next(never)).toBeUndefined();
  });
});
