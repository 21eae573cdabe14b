import { createHash } from 'node:crypto';
import { serializeManifest } from '../../src/catalog/manifest-file.ts';
import type { Manifest, MemberEntry } from '../../src/catalog/manifest.ts';
import { dumpKey, labelOf, SIDE } from '../../src/catalog/names.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { pattern } from './content.ts';
import { putBytes } from './make-backup.ts';
import { sampleManifest } from './sample-manifest.ts';

export interface StoredSample {
  readonly label: string;
  readonly key: string;
  readonly manifest: Manifest;
}

/** Bytes of each of the four members of a sample's dump. */
export const MEMBER_BYTES = 1000;

/**
 * Stores what looks like a backup to everything that reads no SQL: every checksum in its manifest is right. For tests of many
 * backups; those of a few make them from a database.
 */
export async function storeSample(
  targets: readonly Storage[],
  started: Date,
  options: { readonly source?: string; readonly manifest?: boolean; readonly outcome?: 'complete' | 'incomplete' } = {},
): Promise<StoredSample> {
  const { source = 'shop' } = options;
  const label = labelOf(source, started);
  const key = dumpKey(label, 'gzip');
  const dump = pattern(0, 4 * MEMBER_BYTES, Math.floor(started.getTime() / 1000) % 2 ** 31);
  const kinds = ['head', 'chunk', 'chunk', 'tail'] as const;
  const members = kinds.map((kind, at): MemberEntry => {
    const offset = at * MEMBER_BYTES;
    const sha256 = sha256Of(dump.subarray(offset, offset + MEMBER_BYTES));
    return { kind, offset, length: MEMBER_BYTES, rawLength: 30, rows: 0, sha256, ...(kind === 'chunk' && { table: 0 }) };
  });
  const toc = Buffer.from(`toc of ${label}`);
  const globals = Buffer.from(`globals of ${label}`);
  const file = `${label}.sql.gz`;
  const properties = (name: string, bytes: Buffer) => ({ name, bytes: bytes.length, sha256: sha256Of(bytes) });
  const manifest = sampleManifest(
    {
      ...{ label, source, members, outcome: options.outcome ?? 'complete' },
      file: { ...properties(file, dump), rawBytes: 120 },
      side: { toc: properties(`${file}.toc`, toc), globals: properties(`${file}.globals.gz`, globals) },
      copies: targets.map((target) => ({
        ...{ target: target.name, location: target.location(key), sha256: sha256Of(dump) },
        ...{ storedAt: started.toISOString(), checkedBy: 'none' },
      })),
    },
    started,
  );
  for (const target of targets) {
    await putBytes(target, key + SIDE.toc, toc);
    await putBytes(target, key + SIDE.globals, globals);
    await putBytes(target, key, dump);
    if (options.manifest !== false) await putBytes(target, key + SIDE.manifest, serializeManifest(manifest));
  }
  return { label, key, manifest };
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
