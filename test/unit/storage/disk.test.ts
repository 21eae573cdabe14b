import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { bytesContent, fileContent } from '../../../src/storage/content.ts';
import { createDiskStorage, type DiskStorage } from '../../../src/storage/disk.ts';
import { diskError } from '../../../src/storage/disk-error.ts';
import { startReplicatedWrite } from '../../../src/storage/replicated-write.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
import { collect, keysOf, patternContent, pattern } from '../../support/content.ts';
import { testWithMounts, withMount } from '../../support/mounting.ts';

const MIB = 1024 * 1024;
const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

let root: string;
let disk: DiskStorage;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'db-backup-disk-'));
  disk = createDiskStorage({ name: 'local', root });
});
afterEach(() => rm(root, { recursive: true }));

const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

test('files are for the owner only, and so are the folders it creates', async () => {
  await disk.put('full/deep/x', bytesContent(Buffer.from('x')));
  expect(await mode(join(root, 'full/deep/x'))).toBe('600');
  expect(await mode(join(root, 'full'))).toBe('700');
  expect(await mode(join(root, 'full/deep'))).toBe('700');

  // Reports are for auditors with accounts of their own.
  const reports = createDiskStorage({ name: 'reports', root, readable: true });
  await reports.put('logs/report.json', bytesContent(Buffer.from('{}')));
  expect([await mode(join(root, 'logs/report.json')), await mode(join(root, 'logs'))]).toEqual(['644', '755']);
});

test('the file being written is hidden under a temporary name in the same folder', async () => {
  const file = await disk.begin('full/x.sql.gz');
  await file.write(Buffer.from('half'));
  expect(await readdir(join(root, 'full'))).toEqual([expect.stringMatching(/^\.x\.sql\.gz\.[0-9a-f]{16}\.partial$/)]);
  expect(await keysOf(disk)).toEqual([]);
  await file.publish();
  expect(await keysOf(disk)).toEqual(['full/x.sql.gz']);
  await file.close();
});

test('sweep spares a temporary file that was written to lately, and files that only look similar', async () => {
  const old = join(root, '.x.sql.gz.0123456789abcdef.partial');
  await writeFile(old, 'x');
  await utimes(old, 1000, 1000);
  await writeFile(join(root, '.y.sql.gz.0123456789abcdef.partial'), 'x');
  await writeFile(join(root, 'x.partial'), 'x');
  const swept = await disk.sweep('', new Date(2_000_000));
  expect(swept).toEqual([{ key: '.x.sql.gz.0123456789abcdef.partial', kind: 'temporary-file', started: new Date(1_000_000) }]);
  expect((await readdir(root)).sort()).toEqual(['.y.sql.gz.0123456789abcdef.partial', 'x.partial']);
});

test('says how much still fits, as df does', async () => {
  const free = await disk.free!();
  const { stdout } = await promisify(execFile)('df', ['--output=avail', '--block-size=1', root]);
  // Others write to the same file system meanwhile.
  expect(free / Number(stdout.split('\n')[1])).toBeCloseTo(1, 1);
});

test('content can come from a file', async () => {
  await writeFile(join(root, 'side'), patternContent(3 * MIB).bytes());
  const content = await fileContent(join(root, 'side'));
  expect(content.size).toBe(3 * MIB);
  expect((await collect(content.open(MIB))).equals(pattern(MIB, 2 * MIB))).toBe(true);
  await expect(fileContent(join(root, 'none'))).rejects.toMatchObject({ code: 'STORAGE_MISSING' });
});

describe('errors a person can act on', () => {
  test('a missing backup directory is not created, by any operation', async () => {
    const path = join(root, 'not-mounted');
    const missing = createDiskStorage({ name: 'local', root: path });
    const error = {
      code: 'STORAGE_MISSING',
      message: expect.stringContaining(`${path} does not exist`),
      hint: expect.stringContaining('mount'),
    };
    await expect(missing.put('full/x', bytesContent(Buffer.from('x')))).rejects.toMatchObject(error);
    await expect(missing.probe()).rejects.toMatchObject(error);
    await expect(missing.head('full/x')).rejects.toMatchObject(error);
    await expect(missing.sweep('', new Date(0))).rejects.toMatchObject(error);
    await expect(missing.free!()).rejects.toMatchObject(error);
    await expect(keysOf(missing)).rejects.toMatchObject(error);
    expect(await readdir(root)).toEqual([]);
  });

  test('a file where the backup directory should be', async () => {
    await writeFile(join(root, 'file'), 'x');
    await expect(createDiskStorage({ name: 'local', root: join(root, 'file') }).probe()).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.stringContaining('not a directory'),
    });
  });

  test.each([
    ['ENOSPC', 'STORAGE_FULL', false],
    ['EDQUOT', 'STORAGE_FULL', false],
    ['EROFS', 'STORAGE_READ_ONLY', false],
    ['EACCES', 'STORAGE_DENIED', false],
    ['EPERM', 'STORAGE_DENIED', false],
    ['ENOENT', 'STORAGE_MISSING', false],
    ['EIO', 'STORAGE_FAILED', false],
    ['ESTALE', 'STORAGE_UNAVAILABLE', true],
    ['EWHATEVER', 'STORAGE_FAILED', false],
  ])('%s is %s', (code, expected, retryable) => {
    const error = diskError(Object.assign(new Error('the system says so'), { code }), 'write', '/backups/x');
    expect(error).toMatchObject({ code: expected, retryable });
    expect(error.message).toMatch(/^cannot write \/backups\/x: /);
    expect(error.hint).toBeTruthy();
  });

  test('a directory without write permission', async () => {
    const locked = join(root, 'locked');
    await mkdir(locked, { mode: 0o555 });
    await chmod(root, 0o755);
    // Root may write anywhere, so it steps down for a moment.
    if (isRoot) process.seteuid!(NOBODY);
    try {
      await expect(createDiskStorage({ name: 'local', root: locked }).probe()).rejects.toMatchObject({ code: 'STORAGE_DENIED' });
    } finally {
      if (isRoot) process.seteuid!(0);
    }
  });

  testWithMounts('a read-only file system', async () => {
    const folder = join(root, 'mounted');
    await withMount(folder, 'size=1m,ro', async () => {
      const readOnly = createDiskStorage({ name: 'local', root: folder });
      await expect(readOnly.probe()).rejects.toMatchObject({ code: 'STORAGE_READ_ONLY' });
      await expect(readOnly.put('full/x', bytesContent(Buffer.from('x')))).rejects.toMatchObject({ code: 'STORAGE_READ_ONLY' });
    });
  });

  testWithMounts('a file system that fills up: the put fails and gives the space back', async () => {
    const folder = join(root, 'mounted');
    await withMount(folder, 'size=2m', async () => {
      const small = createDiskStorage({ name: 'local', root: folder });
      await expect(small.put('full/x', patternContent(3 * MIB))).rejects.toMatchObject({
        code: 'STORAGE_FULL',
        retryable: false,
      });
      expect(await readdir(join(folder, 'full'))).toEqual([]);
      await small.put('full/y', patternContent(MIB));
    });
  });

  testWithMounts(
    'a file system that fills up half-way through a replicated write: the other target gets everything',
    async () => {
      const folder = join(root, 'mounted');
      await withMount(folder, 'size=2m', async () => {
        const small = createDiskStorage({ name: 'local', root: folder });
        const other = createMemoryStorage({ name: 'other' });
        const write = startReplicatedWrite({ key: 'full/x', targets: [other], spool: small });
        // Pieces that do not divide the space: the last write to the disk succeeds in part.
        for (let at = 0; at < 5_000_000; at += 500_000) await write.append(pattern(at, 500_000));
        expect(await write.commit()).toMatchObject([
          { ok: false, error: { code: 'STORAGE_FULL' } },
          { target: 'other', ok: true },
        ]);
        expect((await collect(other.get('full/x'))).equals(pattern(0, 5_000_000))).toBe(true);
        expect(await readdir(join(folder, 'full'))).toEqual([]);
      });
    },
  );
});
