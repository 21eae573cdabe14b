import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Makes durable what the receiver has written into the segment that is open. Whatever it finished before is: it syncs a file before it
 * gives it its final name.
 */
export async function syncOpenSegment(folder: string): Promise<void> {
  for (const name of (await readdir(folder)).filter((each) => each.endsWith('.partial'))) {
    let file;
    try {
      file = await open(join(folder, name), 'r');
    } catch (error) {
      // Finished since.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw error;
    }
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
  }
}
