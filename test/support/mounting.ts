import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from '@jest/globals';

const mount = (folder: string, options: string): boolean =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]).status === 0;

function mayMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'may-mount-'));
  const allowed = mount(folder, 'size=64k');
  if (allowed) spawnSync('umount', ['--lazy', folder]);
  rmdirSync(folder);
  if (!allowed)
    console.warn('not run: tests on small and read-only file systems (mounting is for root, and not in every container)');
  return allowed;
}

/** A test that needs {@link withMount}: only root may mount a file system, and not in every container. */
export const testWithMounts = mayMount() ? test : test.skip;

/** Runs `body` with a file system of its own mounted at `folder`: `size=1m`, `ro`. */
export async function withMount(folder: string, options: string, body: () => Promise<void>): Promise<void> {
  await mkdir(folder, { recursive: true });
  if (!mount(folder, options)) throw new Error(`cannot mount a file system at ${folder}`);
  try {
    await body();
  } finally {
    spawnSync('umount', ['--lazy', folder]);
  }
}
