import { hash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { readObject } from '../../src/catalog/catalog.ts';
import { parseManifest, serializeManifest } from '../../src/catalog/manifest-file.ts';
import type { Manifest } from '../../src/catalog/manifest.ts';
import { SIDE } from '../../src/catalog/names.ts';
import { blocksOf } from '../../src/catalog/member-index.ts';
import { decodeMember, encodeMember } from '../../src/codec/member.ts';
import { reindexBackup } from '../../src/restore/reindex.ts';
import { verifyBackup, type CheckName, type VerifyResult } from '../../src/restore/verify.ts';
import { createMemoryStorage } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { makeBackup, putBytes } from '../support/make-backup.ts';
import { quietContext } from '../support/restore-context.ts';
import { startShopServer, type ShopServer } from '../support/shop-server.ts';

let server: ShopServer;
let temporaryFolder: string;
const made: Record<'gzip' | 'zstd', { store: Storage; key: string; manifest: Manifest }> = {} as never;

beforeAll(async () => {
  temporaryFolder = await mkdtemp(join(tmpdir(), 'verify-test-'));
  server = await startShopServer();
  for (const codec of ['gzip', 'zstd'] as const) {
    const store = createMemoryStorage({ name: codec });
    made[codec] = { store, ...(await makeBackup(server.shop, server.programs, [store], { codec })) };
  }
});

afterAll(async () => {
  await server.server.stop();
  await rm(temporaryFolder, { recursive: true });
});

afterEach(async () => expect(await readdir(temporaryFolder)).toEqual([]));

/** A copy of the gzip backup in which some files are changed; `undefined` takes one away. */
async function copyWith(
  changes: Partial<Record<'' | '.meta' | '.toc' | '.globals.gz', (bytes: Buffer) => Buffer | undefined>>,
  codec: 'gzip' | 'zstd' = 'gzip',
): Promise<Storage> {
  const copy = createMemoryStorage({ name: 'copy' });
  const { store, key } = made[codec];
  for (const suffix of ['', SIDE.manifest, SIDE.toc, SIDE.globals] as const) {
    const bytes = await readObject(store, key + suffix);
    const change = changes[suffix];
    const changed = change ? change(bytes) : bytes;
    if (changed) await putBytes(copy, key + suffix, changed);
  }
  return copy;
}

async function verify(storage: Storage, codec: 'gzip' | 'zstd' = 'gzip', programs = true): Promise<VerifyResult> {
  return await verifyBackup(
    { storage, key: made[codec].key, temporaryFolder, ...(programs ? { programs: server.programs } : {}) },
    quietContext(),
  );
}

function outcomes(result: VerifyResult, outcome: 'failed' | 'not-checked'): CheckName[] {
  return result.checks.filter((check) => check.outcome === outcome).map(({ name }) => name);
}

/** The dump with another text in one of its members, and a manifest that knows: a lie that only the contents give away. */
function retold(
  index: number,
  change: (raw: Buffer) => Buffer,
): { dump: (bytes: Buffer) => Buffer; manifest: (bytes: Buffer) => Buffer } {
  const rebuild = (dump: Buffer): { dump: Buffer; manifest: Manifest } => {
    const { manifest } = made.gzip;
    const parts = manifest.members.map(({ offset, length, kind, rows, continues, blocks }, at) => {
      const member = dump.subarray(offset, offset + length);
      const raw = at === index ? change(Buffer.from(decodeMember('gzip', member))) : undefined;
      const header = { kind, rows, continues: continues === true, several: blocks !== undefined };
      return raw
        ? {
            bytes: Buffer.from(encodeMember('gzip', { level: 1 }, header, raw)),
            rawLength: raw.length,
          }
        : { bytes: member };
    });
    let offset = 0;
    const members = manifest.members.map((member, at) => {
      const { bytes, rawLength } = parts[at]!;
      const entry = { ...member, offset, length: bytes.length, rawLength: rawLength ?? member.rawLength, sha256: sha256(bytes) };
      offset += bytes.length;
      return entry;
    });
    const changed = Buffer.concat(parts.map(({ bytes }) => bytes));
    const rawBytes = members.reduce((sum, member) => sum + member.rawLength, 0);
    return {
      dump: changed,
      manifest: { ...manifest, members, file: { ...manifest.file, bytes: changed.length, rawBytes, sha256: sha256(changed) } },
    };
  };
  let dumped: Buffer;
  return {
    dump: (bytes) => rebuild((dumped = bytes)).dump,
    manifest: () => Buffer.from(serializeManifest(rebuild(dumped).manifest)),
  };
}

function sha256(bytes: Uint8Array): string {
  return hash('sha256', bytes);
}

describe('a verification', () => {
  test.each(['gzip', 'zstd'] as const)('passes every check of a whole %s backup', async (codec) => {
    const result = await verify(made[codec].store, codec);
    expect(result.checks.filter(({ outcome }) => outcome !== 'ok')).toEqual([]);
    expect(result).toMatchObject({
      outcome: 'passed',
      label: made[codec].manifest.label,
      bytes: made[codec].manifest.file.bytes,
    });
  });

  test('does not pass what it could not check', async () => {
    const result = await verify(made.gzip.store, 'gzip', false);
    expect(result.outcome).toBe('inconclusive');
    expect(outcomes(result, 'not-checked')).toEqual(['head equals .toc', 'tail equals .toc']);
  });

  test('finds one flipped bit in any member, and names the table', async () => {
    const { members, tables } = made.gzip.manifest;
    for (const [index, member] of members.entries()) {
      const { offset, length, kind } = member;
      const copy = await copyWith({ '': (dump) => ((dump[offset + length - 8]! ^= 4), dump) });
      const result = await verify(copy);
      expect(result.outcome).toBe('failed');
      expect(outcomes(result, 'failed')).toEqual(
        expect.arrayContaining(['file SHA-256', 'members', ...(kind === 'chunk' ? ['rows and digests'] : [])]),
      );
      const details = result.checks.find(({ name }) => name === 'members')!.details.join();
      expect(details).toContain(`member ${index} (`);
      const table = tables[blocksOf(member)[0]?.table ?? -1];
      if (kind === 'chunk') expect(details).toContain(`rows of ${table!.schema}.${table!.name}`);
    }
  });

  test('finds a file that is cut off, anywhere, or longer, or empty, or missing', async () => {
    const { members, file } = made.gzip.manifest;
    for (const length of [0, 1, members[1]!.offset, members[1]!.offset + 5, file.bytes - 1]) {
      const result = await verify(await copyWith({ '': (dump) => dump.subarray(0, length) }));
      expect(outcomes(result, 'failed')).toEqual(expect.arrayContaining(['file size', 'file SHA-256', 'script complete']));
    }
    const longer = await verify(await copyWith({ '': (dump) => Buffer.concat([dump, Buffer.from('x')]) }));
    expect(outcomes(longer, 'failed')).toEqual(['file size']);
    const missing = await verify(await copyWith({ '': () => undefined }));
    expect(missing.outcome).toBe('failed');
    expect(outcomes(missing, 'failed')).toEqual(['file size']);
  });

  test('finds side files that are damaged or missing, and then cannot compare with the archive', async () => {
    const flipped = await verify(
      await copyWith({ '.toc': (bytes) => ((bytes[9]! ^= 1), bytes), '.globals.gz': () => undefined }),
    );
    expect(outcomes(flipped, 'failed')).toEqual(['side file .toc', 'side file .globals.gz']);
    expect(outcomes(flipped, 'not-checked')).toEqual(['head equals .toc', 'tail equals .toc']);
  });

  test('checks nothing against a manifest that is not whole, and says so', async () => {
    const result = await verify(await copyWith({ '.meta': (bytes) => bytes.subarray(0, 100) }));
    expect(outcomes(result, 'failed')).toEqual(['manifest']);
    expect(outcomes(result, 'not-checked')).toHaveLength(9);
  });

  test('refuses a manifest of a newer format, and rebuilding does not write over it', async () => {
    const newer = made.gzip.manifest.formatVersion + 97;
    const copy = await copyWith({
      '.meta': (bytes) => Buffer.from(bytes.toString().replace(/"formatVersion": \d/, `"formatVersion": ${newer}`)),
    });
    const refusal = { code: 'BACKUP_FORMAT', message: expect.stringContaining(`format version ${newer}`) };
    await expect(verify(copy)).rejects.toMatchObject(refusal);
    const { key } = made.gzip;
    const before = await readObject(copy, key + SIDE.manifest);
    await expect(reindexBackup(copy, key, quietContext())).rejects.toMatchObject(refusal);
    expect(await readObject(copy, key + SIDE.manifest)).toEqual(before);
  });

  test('finds a row that was changed although every checksum was made anew', async () => {
    const index = made.gzip.manifest.members.findIndex(({ kind, rows }) => kind === 'chunk' && rows > 1000);
    const lie = retold(index, (raw) => ((raw[raw.length - 6]! ^= 1), raw));
    const result = await verify(await copyWith({ '': lie.dump, '.meta': lie.manifest }));
    expect(outcomes(result, 'failed')).toEqual(['rows and digests']);
  });

  test('finds definitions that are not those of the archive, and a script without its last line', async () => {
    const head = retold(0, (raw) => Buffer.from(raw.toString().replace('CREATE VIEW public.glad', 'CREATE VIEW public.mad')));
    expect(outcomes(await verify(await copyWith({ '': head.dump, '.meta': head.manifest })), 'failed')).toEqual([
      'head equals .toc',
    ]);
    const tail = retold(made.gzip.manifest.members.length - 1, (raw) => raw.subarray(0, raw.lastIndexOf('\n-- db-backup end ')));
    expect(outcomes(await verify(await copyWith({ '': tail.dump, '.meta': tail.manifest })), 'failed')).toEqual([
      'script complete',
    ]);
  });
});

describe('a manifest that is lost', () => {
  test.each(['gzip', 'zstd'] as const)('is rebuilt from the %s dump alone', async (codec) => {
    const { key, manifest } = made[codec];
    const copy = await copyWith({ '.meta': () => undefined }, codec);
    const rebuilt = await reindexBackup(copy, key, quietContext());
    const { timing, copies, reindexedAt, members, ...facts } = rebuilt;
    const { timing: _timing, copies: _copies, members: expectedMembers, ...expected } = manifest;
    expect(facts).toEqual(expected);
    expect(timing.startedAt).toBe(manifest.timing.startedAt);
    expect(copies).toHaveLength(1);
    expect(reindexedAt).toBeDefined();
    const target = (table: number) => manifest.tables[table]!.loadInto ?? table;
    const merged = (all: Manifest['members']): unknown =>
      all.map(({ table, blocks, ...member }) => ({
        ...member,
        ...(table !== undefined && { table: target(table) }),
        ...(blocks && { blocks: blocks.map((block) => ({ ...block, table: target(block.table) })) }),
      }));
    expect(merged(members)).toEqual(merged(expectedMembers));
    expect(parseManifest(await readObject(copy, key + SIDE.manifest))).toEqual(rebuilt);
    expect(await verify(copy, codec)).toMatchObject({ outcome: 'passed' });
  });

  test('is rebuilt without the side files when they are lost too', async () => {
    const copy = await copyWith({ '.meta': () => undefined, '.toc': () => undefined, '.globals.gz': () => undefined });
    expect((await reindexBackup(copy, made.gzip.key, quietContext())).side).toEqual({});
  });

  test('is not rebuilt for a dump that is cut off or damaged; what can be saved is said', async () => {
    const { members } = made.gzip.manifest;
    const third = members[2]!;
    const cuts: ((dump: Buffer) => Buffer)[] = [
      (dump) => dump.subarray(0, third.offset + 7),
      (dump) => dump.subarray(0, third.offset),
      (dump) => ((dump[third.offset + third.length - 9]! ^= 1), dump),
      (dump) => ((dump[third.offset]! ^= 1), dump),
    ];
    for (const cut of cuts) {
      const copy = await copyWith({ '': cut, '.meta': () => undefined });
      await expect(reindexBackup(copy, made.gzip.key, quietContext())).rejects.toMatchObject({
        code: 'BACKUP_DAMAGED',
        message: expect.stringContaining(`first ${third.offset} bytes are whole: 2 members with ${members[1]!.rows} rows`),
      });
      expect(await copy.head(made.gzip.key + SIDE.manifest)).toBeUndefined();
    }
  });

  test('is not made up for files that are empty or not ours', async () => {
    for (const content of [Buffer.alloc(0), Buffer.from('SELECT 1;')]) {
      const copy = await copyWith({ '': () => content, '.meta': () => undefined });
      await expect(reindexBackup(copy, made.gzip.key, quietContext())).rejects.toMatchObject({ code: 'BACKUP_FORMAT' });
    }
    await expect(reindexBackup(made.gzip.store, 'full/shop.sql.gz', quietContext())).rejects.toMatchObject({
      code: 'BACKUP_FORMAT',
    });
  });
});
