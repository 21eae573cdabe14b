import { describe, expect, test } from '@jest/globals';
import { serializeManifest } from '../../../src/catalog/manifest-file.ts';
import { dumpKey, SIDE } from '../../../src/catalog/names.ts';
import type { CommandContext } from '../../../src/cli/command.ts';
import { findDump } from '../../../src/cli/find-dump.ts';
import { openBackup } from '../../../src/restore/backup-source.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
import { putBytes } from '../../support/make-backup.ts';
import { sampleManifest } from '../../support/sample-manifest.ts';

describe('The dump that a person named', () => {
  test('can be opened when one target has the dump and another its manifest', async () => {
    const [local, s3] = [createMemoryStorage({ name: 'local' }), createMemoryStorage({ name: 's3' })];
    const manifest = sampleManifest({}, new Date('2026-01-05T02:00:00Z'));
    const key = dumpKey(manifest.label, 'gzip');
    await putBytes(local, key, Buffer.alloc(manifest.file.bytes));
    await putBytes(s3, key + SIDE.manifest, serializeManifest(manifest));
    const context = {
      parts: { targets: [local, s3] },
      config: { targets: {}, paths: { work: '/nonexistent' }, source: { named: false } },
      signal: new AbortController().signal,
    } as unknown as CommandContext;

    const dump = await findDump(context, manifest.label, undefined);
    if (dump.kind !== 'backup') throw new Error('it is taken for a file of another tool');
    expect(dump).toMatchObject({ copies: [{ name: 'local' }], backup: { state: 'complete' }, warnings: [] });
    const source = await openBackup(dump.copies, dump.key, undefined, dump.backup?.manifest);
    expect(source.manifest.label).toBe(manifest.label);
  });
});
