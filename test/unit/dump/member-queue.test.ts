import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import type { CopiedMember } from '../../../src/dump/copy-unit.ts';
import { MemberQueue } from '../../../src/dump/member-queue.ts';

function member(table: number, continues = false, size = 1): CopiedMember {
  const blocks = [{ table, rawLength: size, rows: 1 }];
  return { blocks, bytes: new Uint8Array(size), rawLength: size, rows: 1, continues, sha256: '' };
}

async function drain(queue: MemberQueue): Promise<CopiedMember[]> {
  const all: CopiedMember[] = [];
  for (let next = await queue.next(); next; next = await queue.next()) all.push(next);
  return all;
}

const ignore = (): void => undefined;

describe('members on their way to the file', () => {
  test('a block spread over several members leaves in one piece, whatever the others send meanwhile', async () => {
    const lanes = fc.array(fc.array(fc.boolean(), { maxLength: 8 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(lanes, fc.array(fc.nat()), async (runs, order) => {
        const queue = new MemberQueue(runs.length);
        // Each lane's last member ends its block.
        const waiting = runs.map((flags, lane) => [...flags, false].map((continues) => member(lane, continues)));
        const sent = waiting.reduce((sum, lane) => sum + lane.length, 0);
        const taken = drain(queue);
        for (let i = 0; waiting.some((lane) => lane.length > 0); i += 1) {
          const open = waiting.map((_, lane) => lane).filter((lane) => waiting[lane]!.length > 0);
          const lane = open[(order[i % Math.max(order.length, 1)] ?? i) % open.length]!;
          queue.push(lane, waiting[lane]!.shift()!, ignore);
          await Promise.resolve();
        }
        queue.end();
        const out = await taken;
        expect(out).toHaveLength(sent);
        out.forEach(({ blocks, continues }, i) => {
          if (continues) expect(out[i + 1]!.blocks[0]!.table).toBe(blocks[0]!.table);
        });
      }),
    );
  });

  test('workers go on at once while there is room, and beyond that only as members leave', async () => {
    const queue = new MemberQueue(1);
    const accepted: number[] = [];
    const size = 20 * 1024 * 1024;
    for (let i = 0; i < 4; i += 1) queue.push(0, member(0, false, size), () => accepted.push(i));
    expect(accepted).toEqual([0, 1]);
    await queue.next();
    await queue.next();
    expect(accepted).toEqual([0, 1]);
    await queue.next();
    expect(accepted).toEqual([0, 1, 2]);
  });

  test('a failure reaches the reader that waits', async () => {
    const queue = new MemberQueue(2);
    const next = queue.next();
    queue.fail(new Error('the worker died'));
    await expect(next).rejects.toThrow('the worker died');
  });
});
