import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDiskStorage } from '../../src/storage/disk.ts';
import { createFaultyStorage } from '../../src/storage/faulty.ts';
import { createMemoryStorage } from '../../src/storage/memory.ts';
import { withRetries } from '../../src/storage/retrying.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { storageContract, type StorageFixture } from './storage.contract.ts';

const unchanged = (storage: Storage) => storage;

async function onDisk(decorate: (inner: Storage) => Storage): Promise<StorageFixture> {
  const root = await mkdtemp(join(tmpdir(), 'db-backup-storage-'));
  const disk = createDiskStorage({ name: 'local', root });
  return {
    storage: decorate(disk),
    async leftovers() {
      return (await readdir(root, { recursive: true })).filter((name) => /\.[0-9a-f]{16}\.partial$/.test(name)).length;
    },
    async killedPut(key) {
      const file = await disk.begin(key);
      await file.write(Buffer.from('half'));
      await file.close();
    },
    stop: () => rm(root, { recursive: true }),
  };
}

function inMemory(decorate: (inner: Storage) => Storage): Promise<StorageFixture> {
  return Promise.resolve({
    storage: decorate(createMemoryStorage({ name: 'memory' })),
    leftovers: () => Promise.resolve(0),
    stop: () => Promise.resolve(),
  });
}

storageContract('memory', () => inMemory(unchanged));
storageContract('disk', () => onDisk(unchanged));
storageContract('retrying memory', () => inMemory(withRetries));
storageContract('retrying disk', () => onDisk(withRetries));
storageContract('faulty disk without faults', () => onDisk((inner) => createFaultyStorage(inner, [])));
