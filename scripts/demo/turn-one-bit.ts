import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Turns one bit round in the middle of the dump, as a disk that decays might. Twice is as if nothing had been. */
export async function turnOneBit(backups: string): Promise<void> {
  const folder = join(backups, 'full');
  const name = (await readdir(folder)).find((each) => each.endsWith('.sql.gz'))!;
  const file = await open(join(folder, name), 'r+');
  try {
    const at = Math.floor((await file.stat()).size / 2);
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte[0]! ^= 1;
    await file.write(byte, 0, 1, at);
  } finally {
    await file.close();
  }
}
