import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { serializeManifest } from '../../src/catalog/manifest-file.ts';
import type { Manifest } from '../../src/catalog/manifest.ts';
import { dumpKey, labelOf, SIDE } from '../../src/catalog/names.ts';
import { systemClock } from '../../src/clock.ts';
import type { CodecName } from '../../src/codec/codec.ts';
import { dumpDatabase } from '../../src/dump/dump.ts';
import { readGlobals } from '../../src/dump/globals.ts';
import type { DumpHooks } from '../../src/dump/leader.ts';
import { withClient, type ConnectionOptions } from '../../src/postgres/connection.ts';
import type { ClientPrograms } from '../../src/postgres/programs.ts';
import { readServerFacts } from '../../src/postgres/server-facts.ts';
import type { Storage } from '../../src/storage/storage.ts';

export interface MadeBackup {
  readonly key: string;
  readonly manifest: Manifest;
}

/** A backup of a database in every one of the targets, by the real dump engine: what the job does, without its care. */
export async function makeBackup(
  connection: ConnectionOptions,
  programs: ClientPrograms,
  targets: readonly Storage[],
  options: { codec?: CodecName; started?: Date; workers?: number; source?: string; hooks?: DumpHooks } = {},
): Promise<MadeBackup> {
  const codec = options.codec ?? 'gzip';
  const source = options.source ?? connection.database;
  const label = labelOf(source, options.started ?? new Date('2026-01-02T03:04:05Z'));
  const key = dumpKey(label, codec);
  const folder = await mkdtemp(join(tmpdir(), 'make-backup-'));
  try {
    const facts = await withClient(connection, readServerFacts);
    const parts: Buffer[] = [];
    const tocPath = join(folder, 'toc');
    const signal = new AbortController().signal;
    const result = await dumpDatabase(
      {
        connection,
        programs,
        server: {
          version: facts.version,
          versionNum: facts.versionNumber,
          standby: facts.standby,
          ...(facts.systemIdentifier === undefined ? {} : { systemIdentifier: facts.systemIdentifier }),
        },
        sink: { append: async (bytes) => void parts.push(Buffer.from(bytes)) },
        tocPath,
        clock: systemClock,
        signal,
        ...(options.hooks === undefined ? {} : { hooks: options.hooks }),
      },
      { source, label, version: '0.1.0', codec, level: 1, workers: options.workers ?? 2, lockTimeoutMs: 10_000 },
    );
    const dump = Buffer.concat(parts);
    const toc = await readFile(tocPath);
    const globals = gzipSync(await readGlobals(connection, programs, { passwords: false }, signal));
    const name = key.slice(key.lastIndexOf('/') + 1);
    const manifest: Manifest = {
      ...result,
      file: { ...result.file, ...properties(name, dump) },
      side: { toc: properties(name + SIDE.toc, toc), globals: properties(name + SIDE.globals, globals) },
      copies: [],
    };
    for (const target of targets) {
      await putBytes(target, key + SIDE.toc, toc);
      await putBytes(target, key + SIDE.globals, globals);
      await putBytes(target, key, dump);
      await putBytes(target, key + SIDE.manifest, serializeManifest(manifest));
    }
    return { key, manifest };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function putBytes(target: Storage, key: string, bytes: Uint8Array): Promise<void> {
  async function* open(): AsyncGenerator<Uint8Array> {
    yield bytes;
  }
  await target.put(key, { open, replayable: true, size: bytes.length });
}

function properties(name: string, bytes: Buffer): { name: string; bytes: number; sha256: string } {
  return { name, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}
