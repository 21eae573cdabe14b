import { formatLsn } from '../catalog/lsn.ts';
import { BackupError } from '../errors.ts';

/** What a segment says of itself: `XLogLongPageHeaderData` at its start, in the byte order of the server, which is ours. */
export interface SegmentHeader {
  readonly systemIdentifier: string;
  /** Place of its first byte. */
  readonly lsn: bigint;
  readonly segmentBytes: number;
}

export const HEADER_BYTES = 40;
/** `XLP_LONG_HEADER`: the first page of a segment has one. */
const LONG_HEADER = 0x0002;

/** Throws `BACKUP_DAMAGED` for what is no segment of WAL. */
export function readSegmentHeader(bytes: Uint8Array, name: string): SegmentHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES || (view.getUint16(2, true) & LONG_HEADER) === 0) {
    throw new BackupError('BACKUP_DAMAGED', `${name} is no segment of WAL`, {
      hint: 'Is the path right, and the file whole? Nothing was stored.',
    });
  }
  return {
    lsn: view.getBigUint64(8, true),
    systemIdentifier: view.getBigUint64(24, true).toString(),
    segmentBytes: view.getUint32(32, true),
  };
}

/** Whether a server has written anything into it: an open segment is made as a file of zeros. */
export function isBegun(bytes: Uint8Array): boolean {
  return bytes[0] !== 0 || bytes[1] !== 0;
}

/** Throws `BACKUP_DAMAGED` unless the file is what its name says. */
export function checkSegment(
  header: SegmentHeader,
  file: { readonly name: string; readonly number: bigint },
  bytes: number,
): void {
  const expected = file.number * BigInt(header.segmentBytes);
  const problem =
    header.lsn !== expected
      ? `it begins at ${formatLsn(header.lsn)} instead of ${formatLsn(expected)}`
      : bytes !== header.segmentBytes
        ? `it has ${bytes} bytes instead of ${header.segmentBytes}`
        : undefined;
  if (problem === undefined) return;
  throw new BackupError('BACKUP_DAMAGED', `${file.name} is not the segment of WAL that its name says: ${problem}`, {
    hint: 'A recycled or half-written file? Look at the log of the server. Nothing was stored.',
  });
}
