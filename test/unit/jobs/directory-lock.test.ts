import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { lockDirectory } from '../../../src/jobs/directory-lock.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-test-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('The lock of a directory', () => {
  test('is held by one only, and free again after its release', async () => {
    const first = await lockDirectory(folder);
    await expect(lockDirectory(folder)).rejects.toMatchObject({ code: 'LOCKED', retryable: true });
    await first.release();
    const second = await lockDirectory(folder);
    await second.release();
  });

  test('is free after its holder was killed', async () => {
    const script = join(folder, 'hold.ts');
    const module = new URL('../../../src/jobs/directory-lock.ts', import.meta.url).href;
    await writeFile(
      script,
      `const { lockDirectory } = await import(${JSON.stringify(module)});
       await lockDirectory(${JSON.stringify(folder)}); console.log('held'); setInterval(() => {}, 1000);`,
    );
    const holder = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    await expect(lockDirectory(folder)).rejects.toMatchObject({ code: 'LOCKED' });
    holder.kill('SIGKILL');
    await once(holder, 'close');
    // The child that holds the lock learns of it from the kernel, a moment later.
    for (;;) {
      try {
        await (await lockDirectory(folder)).release();
        break;
      } catch (error) {
        expect(error).toMatchObject({ code: 'LOCKED' });
      }
    }
  });

  test('is refused for what is no directory, and makes none', async () => {
    await expect(lockDirectory(join(folder, 'absent'))).rejects.toThrow('absent');
    await writeFile(join(folder, 'file'), '');
    await expect(lockDirectory(join(folder, 'file'))).rejects.toThrow('not a directory');
  });
});
