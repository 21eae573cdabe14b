import { describe, expect, test } from '@jest/globals';

import { encodeMember } from '../../../src/codec/member.ts';
import type { ReadMember } from '../../../src/restore/member-reader.ts';
import { createRunQueue, type Run } from '../../../src/restore/runs.ts';
import { sampleManifest } from '../../support/sample-manifest.ts';

const manifest = sampleManifest();

function member(raw: string, continues = false, rows = 1): ReadMember {
  const bytes = Buffer.from(encodeMember('gzip', { level: 1 }, { kind: 'chunk', continues, rows }, Buffer.from(raw)));
  const entry = {
    kind: 'chunk' as const,
    table: 0,
    offset: 0,
    length: bytes.length,
    rawLength: raw.length,
    rows,
    sha256: '',
    ...(continues ? { continues } : {}),
  };
  return { index: 1, entry, bytes };
}

async function* stream(...members: ReadMember[]): AsyncGenerator<ReadMember, void, void> {
  yield* members;
}

async function textOf(run: Run | undefined): Promise<string> {
  let text = '';
  for await (const part of run!.text) text += part.toString();
  run!.close();
  return text;
}

const HEADER = 'COPY public.orders (id) FROM stdin;\n';

describe('the queue of COPY blocks', () => {
  test('hands each block to one asker, rows only', async () => {
    const queue = createRunQueue(manifest, stream(member(`${HEADER}1\n\\.\n\n`), member(`${HEADER}2\n\\.\n\n`)));
    const runs = await Promise.all([queue.next(), queue.next(), queue.next()]);
    expect(await textOf(runs[0])).toBe('1\n');
    expect(await textOf(runs[1])).toBe('2\n');
    expect(runs[2]).toBeUndefined();
  });

  test('gives a block of several members to one asker, in order, and holds back the next until it is read', async () => {
    const long = [member(`${HEADER}1\n2`, true, 1), member('2', true, 0), member('2\n\\.\n\n', false, 1)];
    const queue = createRunQueue(manifest, stream(...long, member(`${HEADER}3\n\\.\n\n`)));
    const first = await queue.next();
    const second = queue.next();
    expect(await textOf(first)).toBe('1\n222\n');
    expect(first!.rows()).toBe(2);
    expect(await textOf(await second)).toBe('3\n');
  });

  test('hands out the wanted blocks of a member of several one by one, those of tables that are not busy first', async () => {
    const texts = [`${HEADER}1\n\\.\n\n`, `${HEADER}2\n2\n\\.\n\n`, `${HEADER}3\n\\.\n\n`];
    const { table: _, ...whole } = member(texts.join('')).entry;
    const blocks = texts.map((text, table) => ({ table, rawLength: text.length, rows: table === 1 ? 2 : 1 }));
    const several = { ...member(texts.join('')), entry: { ...whole, rows: 4, blocks } };
    const queue = createRunQueue(manifest, stream(several, member(`${HEADER}4\n\\.\n\n`)), (table) => table !== 2);
    const runs = [await queue.next((table) => table === 0), await queue.next(), await queue.next(), await queue.next()];
    expect(runs.map((run) => run?.table)).toEqual([1, 0, 0, undefined]);
    expect(runs[0]!.rows()).toBe(2);
    expect([await textOf(runs[0]), await textOf(runs[1]), await textOf(runs[2])]).toEqual(['2\n2\n', '1\n', '4\n']);
  });

  test('lets the others go on when a block of several members is given up unread', async () => {
    const queue = createRunQueue(manifest, stream(member(`${HEADER}1`, true), member('\n\\.\n\n')));
    const first = await queue.next();
    const second = queue.next();
    queue.stop();
    first!.close();
    expect(await second).toBeUndefined();
  });

  test.each([
    ['does not begin with COPY', [member('SELECT 1;\n')]],
    ['does not end a COPY block', [member(`${HEADER}1\n`)]],
    ['is not followed by the rest', [member(`${HEADER}1`, true)]],
  ])('refuses a member that %s', async (why, members) => {
    await expect(textOf(await createRunQueue(manifest, stream(...members)).next())).rejects.toMatchObject({
      code: 'BACKUP_DAMAGED',
      message: expect.stringContaining(why),
    });
  });

  test('refuses a member whose content its codec does not confirm', async () => {
    const damaged = member(`${HEADER}1\n\\.\n\n`);
    damaged.bytes[damaged.bytes.length - 6]! ^= 1;
    await expect(textOf(await createRunQueue(manifest, stream(damaged)).next())).rejects.toMatchObject({
      code: 'BACKUP_DAMAGED',
    });
  });
});
