import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** With more the disk is not quicker, and others wait for the threads of this process. */
const AT_ONCE = 2;

/**
 * Makes the content of all files in these folders durable. Links are not followed. A server does the same before it replays, one file after
 * another, and finds nothing left to do then.
 */
export async function syncFiles(folders: readonly string[], signal: AbortSignal): Promise<void> {
  for (const folder of folders) {
    const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).values();
    const work = async (): Promise<void> => {
      for (const { parentPath, name } of files) {
        signal.throwIfAborted();
        const file = await open(join(parentPath, name), 'r');
        // An error is told once: the server would not hear of it any more.
        await file.datasync().finally(async () => await file.close());
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }
}
