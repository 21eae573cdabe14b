import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { absentAs } from '../errors.ts';

/**
 * Makes durable what the receiver has written into the segment that is open. Whatever it finished before is: it syncs a file before it
 * gives it its final name.
 */
export async function syncOpenSegment(folder: string): Promise<void> {
  for (const name of (await readdir(folder)).filter((each) => each.endsWith('.partial'))) {
    const file = await absentAs(undefined, open(join(folder, name), 'r'));
    // Finished since.
    if (file === undefined) continue;
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
  }
}
