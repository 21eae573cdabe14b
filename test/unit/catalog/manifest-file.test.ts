import { readFile } from 'node:fs/promises';

import { describe, expect, test } from '@jest/globals';

import { parseManifest, serializeManifest } from '../../../src/catalog/manifest-file.ts';
import { manifestSchema } from '../../../src/catalog/manifest-schema.ts';
import type { MemberEntry } from '../../../src/catalog/manifest.ts';
import { sampleManifest } from '../../support/sample-manifest.ts';

function parse(value: unknown): unknown {
  return parseManifest(Buffer.from(JSON.stringify(value)));
}

describe('a manifest', () => {
  test('comes back as it was written', () => {
    const manifest = sampleManifest({ warnings: ['ü "quoted"\n'], reindexedAt: '2026-01-02T03:04:05Z' });
    expect(parseManifest(serializeManifest(manifest))).toEqual(manifest);
  });

  test('is described by the schema that is published', async () => {
    const published: unknown = JSON.parse(
      await readFile(new URL('../../../docs/schemas/manifest.schema.json', import.meta.url), 'utf8'),
    );
    expect(published).toEqual(JSON.parse(JSON.stringify(manifestSchema)));
  });

  test('may have fields that this version does not know', () => {
    expect(parse({ ...sampleManifest(), later: 1 })).toMatchObject({ later: 1 });
  });

  test('of a newer format is refused as such, whatever else is in it', () => {
    expect(() => parse({ formatVersion: 3 })).toThrow(
      expect.objectContaining({ code: 'BACKUP_FORMAT', message: expect.stringContaining('format version 3') }),
    );
  });

  test.each([
    ['empty', Buffer.alloc(0), 'empty'],
    ['cut off', Buffer.from(serializeManifest(sampleManifest())).subarray(0, 200), 'not JSON'],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'not JSON'],
    ['a list', Buffer.from('[]'), 'must be object'],
  ])('that is %s is damaged', (_, bytes, why) => {
    expect(() => parseManifest(bytes, 'x.meta')).toThrow(
      expect.objectContaining({ code: 'BACKUP_DAMAGED', message: expect.stringContaining(why) }),
    );
  });

  test('that lacks fields says which, the first few of them', () => {
    const { label: _, server: __, ...rest } = sampleManifest();
    expect(() => parse(rest)).toThrow(/'label'.*'server'/);
    expect(() => parse({ formatVersion: 1 })).toThrow(/and \d+ more/);
  });

  const [head, chunk, tail] = sampleManifest().members as [MemberEntry, MemberEntry, MemberEntry];
  const { table: _, ...rest } = chunk;
  const several = {
    ...rest,
    blocks: [
      { table: 0, rawLength: 10, rows: 1 },
      { table: 0, rawLength: 20, rows: 2 },
    ],
  };
  test.each<[string, MemberEntry[], string]>([
    ['a gap between members', [head, { ...chunk, offset: 21, length: 19 }, tail], 'begins at byte 21'],
    ['members that overlap', [head, { ...chunk, offset: 19 }, tail], 'begins at byte 19'],
    ['bytes behind the last member', [head, chunk, { ...tail, length: 19 }], 'end at byte 59'],
    ['no head', [{ ...chunk, offset: 0, length: 40, rawLength: 60 }, tail], 'begin with a head'],
    ['no tail', [head, { ...chunk, length: 40, rawLength: 60 }], 'end with a tail'],
    ['no members', [], 'begin with a head'],
    ['a chunk of no table', [head, { ...chunk, table: 1 }, tail], 'names no table'],
    ['an open run', [head, { ...chunk, continues: true }, tail], 'does not go on'],
    ['blocks of no table', [head, { ...several, blocks: [{ table: 5, rawLength: 30, rows: 3 }] }, tail], 'names no table'],
    ['rows that are in no block', [head, { ...several, rows: 4 }, tail], 'not the sum of its blocks'],
    ['bytes that are in no block', [head, { ...several, blocks: several.blocks.slice(1) }, tail], 'not the sum of its blocks'],
    ['blocks in a block that goes on', [head, { ...several, continues: true }, tail], 'not the sum of its blocks'],
    ['a last member that continues', [head, chunk, { ...tail, continues: true }], 'another follows'],
    ['a chunk behind the tail', [head, { ...tail, offset: 20 }, { ...chunk, offset: 40 }], 'follows a tail'],
    ['another length of the script', [head, { ...chunk, rawLength: 31 }, tail], '91 bytes of SQL'],
  ])('with %s contradicts itself', (_, members, why) => {
    expect(() => parse(sampleManifest({ members }))).toThrow(why);
  });
});
