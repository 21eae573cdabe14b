import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { RowPacker, type RawMember } from '../../../src/dump/row-packer.ts';
import { splitBlocks } from '../../../src/codec/copy-block.ts';
import { referenceDigest } from '../../support/row-digest-reference.ts';

const HEADER = Buffer.from('COPY public.t (a) FROM stdin;\n');
const unit = { table: 7, label: 't', lockName: 't', sql: '', header: HEADER, weight: 0, alone: true };

/** CopyData messages, one a row, as a server sends them. */
function messages(rows: readonly Buffer[]): Buffer {
  return Buffer.concat(
    rows.map((row) => {
      const message = Buffer.alloc(row.length + 6);
      message.write('d');
      message.writeUInt32BE(row.length + 5, 1);
      row.copy(message, 5);
      message[message.length - 1] = 10;
      return message;
    }),
  );
}

interface Packed {
  readonly members: { text: string; rows: number; continues: boolean; blocks: RawMember['blocks'] }[];
  readonly result: { rows: number; bytes: number; digest: string };
}

/** Feeds the messages as a socket would: cut anywhere, what was not taken comes again in front of the next piece. */
function pack(rows: readonly Buffer[], chunkBytes: number, steps: readonly number[]): Packed {
  const members: Packed['members'] = [];
  const packer = new RowPacker(chunkBytes, ({ raw, ...member }) =>
    members.push({ text: Buffer.from(raw).toString('latin1'), ...member }),
  );
  packer.begin(unit);
  const bytes = messages(rows);
  let rest: Buffer = Buffer.alloc(0);
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const step = Math.max(1, steps[i % Math.max(steps.length, 1)] ?? 1000);
    const chunk = Buffer.concat([rest, bytes.subarray(at, at + step)]);
    rest = chunk.subarray(packer.take(chunk));
    at += step;
  }
  expect(rest).toHaveLength(0);
  return { members, result: packer.end() };
}

const row = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes.map((byte) => (byte === 10 ? 11 : byte))));

describe('rows on their way from the server into members', () => {
  test('nothing is lost, added or reordered, however the bytes come; every block is whole', () => {
    fc.assert(
      fc.property(
        fc.array(row, { maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 900 }), { maxLength: 8 }),
        (rows, steps) => {
          const { members, result } = pack(rows, 2048, steps);
          const text = rows.map((line) => `${line.toString('latin1')}\n`).join('');
          expect(result).toEqual({ rows: rows.length, bytes: text.length, digest: referenceDigest(rows) });
          for (const member of members) {
            expect(member.continues).toBe(false);
            expect(member.blocks).toEqual([{ table: 7, rawLength: member.text.length, rows: member.rows }]);
            expect(member.text.startsWith(HEADER.toString())).toBe(true);
            expect(member.text.endsWith('\n\\.\n\n')).toBe(true);
          }
          expect(members.map((member) => member.text.slice(HEADER.length, -4)).join('')).toBe(text);
          expect(members.reduce((sum, member) => sum + member.rows, 0)).toBe(rows.length);
        },
      ),
    );
  });

  test('a row larger than two chunks is spread over members that continue one another; smaller rows around it are kept', () => {
    const rows = [
      Buffer.from('before'),
      Buffer.alloc(3_000_003, 'abcdefghijklmnop'),
      Buffer.from('after'),
      Buffer.alloc(700_000, 'x'),
      Buffer.from('end'),
    ];
    const { members, result } = pack(rows, 256 * 1024, [65_536]);
    expect(result).toMatchObject({ rows: 5, digest: referenceDigest(rows) });
    const text = members.map((member) => member.text).join('');
    // Blocks: the text between a header and the end of its rows.
    const blocks = text.split(HEADER.toString()).slice(1);
    expect(blocks.every((block) => block.endsWith('\n\\.\n\n'))).toBe(true);
    expect(blocks.map((block) => block.slice(0, -4)).join('')).toBe(rows.map((line) => `${line.toString()}\n`).join(''));
    expect(members.filter((member) => member.continues).length).toBeGreaterThan(5);
    members.forEach((member, i) => {
      const opens = i === 0 || !members[i - 1]!.continues;
      expect(member.text.startsWith(HEADER.toString())).toBe(opens);
    });
    expect(Math.max(...members.map((member) => member.text.length))).toBeLessThan(1024 * 1024);
  });

  test('small tables share members; each has whole blocks there, and the digest that it has alone', () => {
    fc.assert(
      fc.property(fc.array(fc.array(row, { maxLength: 12 }), { minLength: 1, maxLength: 30 }), (tables) => {
        const members: Packed['members'] = [];
        const packer = new RowPacker(2048, ({ raw, ...member }) =>
          members.push({ text: Buffer.from(raw).toString('latin1'), ...member }),
        );
        tables.forEach((rows, table) => {
          packer.begin({ ...unit, table, alone: false });
          packer.take(messages(rows));
          expect(packer.end()).toMatchObject({ rows: rows.length, digest: referenceDigest(rows) });
        });
        packer.flush();
        const texts = tables.map(() => '');
        for (const { text, blocks, rows, continues } of members) {
          expect(continues).toBe(false);
          expect(blocks.reduce((sum, block) => sum + block.rows, 0)).toBe(rows);
          const split = splitBlocks(Buffer.from(text, 'latin1')).map((block) => block.toString('latin1'));
          expect(split.map(({ length }) => length)).toEqual(blocks.map(({ rawLength }) => rawLength));
          blocks.forEach(({ table }, i) => (texts[table] = texts[table]! + split[i]!.slice(HEADER.length, -4)));
        }
        expect(texts).toEqual(tables.map((rows) => rows.map((line) => `${line.toString('latin1')}\n`).join('')));
        const bytes = texts.join('').length;
        // A member is cut where it is full, not at every table.
        expect(members.length).toBeLessThanOrEqual(1 + Math.ceil((bytes + tables.length * 64) / 1024));
      }),
    );
  });

  test('a row too large for the member of small tables before it begins a member of its own', () => {
    const members: Packed['members'] = [];
    const packer = new RowPacker(64 * 1024, ({ raw, ...member }) =>
      members.push({ text: Buffer.from(raw).toString('latin1'), ...member }),
    );
    const large = Buffer.alloc(1_000_000, 'y');
    packer.begin({ ...unit, table: 1, alone: false });
    packer.take(messages([Buffer.from('small')]));
    packer.end();
    packer.begin({ ...unit, table: 2, alone: false });
    packer.take(messages([large]));
    expect(packer.end()).toMatchObject({ rows: 1, digest: referenceDigest([large]) });
    packer.flush();
    expect(members[0]).toMatchObject({ continues: false, blocks: [{ table: 1, rows: 1 }] });
    expect(members.slice(1, -1).every(({ continues }) => continues)).toBe(true);
    const text = members.slice(1).map((member) => member.text);
    expect(text.join('')).toBe(`${HEADER.toString()}${large.toString()}\n\\.\n\n`);
  });

  test('a table without columns has rows of nothing', () => {
    const { members, result } = pack([Buffer.alloc(0), Buffer.alloc(0)], 2048, [3]);
    expect(result.rows).toBe(2);
    expect(members[0]!.text).toBe(`${HEADER.toString()}\n\n\\.\n\n`);
  });

  test('what is not a row ends the taking; a message that is not one row is refused', () => {
    const packer = new RowPacker(2048, () => undefined);
    packer.begin(unit);
    const done = Buffer.from([0x63, 0, 0, 0, 4]);
    const bytes = Buffer.concat([messages([Buffer.from('1')]), done]);
    expect(packer.take(bytes)).toBe(bytes.length - 5);
    expect(() => packer.take(Buffer.from([0x64, 0, 0, 0, 6, 65, 66]))).toThrow('not one row');
  });

  test('COPY that ends in mid-row is refused', () => {
    const packer = new RowPacker(2048, () => undefined);
    packer.begin(unit);
    packer.take(messages([Buffer.from('abcdef')]).subarray(0, 8));
    expect(() => packer.end()).toThrow('mid-row');
  });
});
