import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { checkMounted, isBelowMount } from '../../../src/storage/mounted.ts';
import { createDiskStorage } from '../../../src/storage/disk.ts';

const MOUNTS = `22 1 254:0 / / rw,relatime shared:1 - overlay overlay rw
25 22 0:23 / /proc rw - proc proc rw
40 22 254:1 / /backups rw - ext4 /dev/vdb rw
41 22 254:2 / /mnt/with\\040space rw - ext4 /dev/vdc rw
`;

test('A folder counts as mounted when it or one above it is a mount point, the root left out', () => {
  expect(isBelowMount('/backups', MOUNTS)).toBe(true);
  expect(isBelowMount('/backups/production', MOUNTS)).toBe(true);
  expect(isBelowMount('/mnt/with space/backups', MOUNTS)).toBe(true);
  expect(isBelowMount('/backups-of-yesterday', MOUNTS)).toBe(false);
  expect(isBelowMount('/srv', MOUNTS)).toBe(false);
});

test('A target that must be a mount is unusable on the root file system, and says so before anything is written', async () => {
  await expect(checkMounted('/proc/self')).resolves.toBeUndefined();
  const root = await mkdtemp(join(tmpdir(), 'mounted-'));
  const mounted = await checkMounted(root).then(
    () => true,
    () => false,
  );
  const probe = createDiskStorage({ name: 'local', root, mounted: true }).probe();
  if (mounted) await expect(probe).resolves.toBeUndefined();
  else await expect(probe).rejects.toMatchObject({ code: 'STORAGE_MISSING', message: `no volume is mounted at ${root}` });
  await rm(root, { recursive: true });
});
