import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseWalFile, type WalFile } from '../../src/catalog/wal-names.ts';
import { absentAs } from '../../src/errors.ts';

export const SEGMENT_BYTES = 16 * 2 ** 20;
const PAGE_BYTES = 8192;

type Segment = Extract<WalFile, { number: bigint }>;

/**
 * Up to where the receiver has written, by the pages in its folder: what it tells the server is a second old. `undefined`: nothing yet.
 */
export async function receivedUpTo(folder: string): Promise<bigint | undefined> {
  const names = await absentAs<string[]>([], readdir(folder));
  const segments = names.map((name) => parseWalFile(name, SEGMENT_BYTES)).filter((file): file is Segment => isSegment(file));
  const newest = segments.sort((a, b) => Number(a.number - b.number)).at(-1);
  if (!newest) return undefined;
  const start = newest.number * BigInt(SEGMENT_BYTES);
  if (newest.kind === 'segment') return start + BigInt(SEGMENT_BYTES);
  // Finished, and renamed, since its name was read.
  return start + BigInt((await absentAs(undefined, writtenBytes(join(folder, newest.name)))) ?? SEGMENT_BYTES);
}

function isSegment(file: WalFile | undefined): boolean {
  return file !== undefined && file.kind !== 'history';
}

/** The file is all zeros at first, and every page that is written begins with a number that is none. */
async function writtenBytes(path: string): Promise<number> {
  const file = await open(path, 'r');
  try {
    const isWritten = async (page: number): Promise<boolean> => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, page * PAGE_BYTES);
      return bytesRead === 2 && buffer.readUInt16LE() !== 0;
    };
    let [from, to] = [0, SEGMENT_BYTES / PAGE_BYTES];
    while (from < to) {
      const middle = Math.floor((from + to) / 2);
      if (await isWritten(middle)) from = middle + 1;
      else to = middle;
    }
    return from * PAGE_BYTES;
  } finally {
    await file.close();
  }
}
