import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import { BackupError } from '../errors.ts';

const TEMPORARY = /^\..+\.[0-9a-f]{16}\.partial$/;
/** How much of a name its temporary name keeps: with what is added it has the 255 bytes that file systems take. */
const STEM_BYTES = 255 - '..0123456789abcdef.partial'.length;

/** Returns `key` if it is a relative POSIX path that stays below its target; throws `USAGE` otherwise. */
export function checkKey(key: string): string {
  if (key === '' || key.includes('\0') || key.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw new BackupError('USAGE', `${JSON.stringify(key)} is not a key in a backup target`, {
      hint: 'A key is a relative path such as full/backup_shop_20260101_020000.sql.gz, without ".." and without a leading "/".',
    });
  }
  return key;
}

/** The key that a put writes to before its content is whole: same folder, hidden, and told apart by {@link isTemporary}. */
export function temporaryKey(key: string): string {
  const folder = posix.dirname(key);
  // Cut between characters: `stream` leaves out the bytes of half a one.
  const stem = new TextDecoder().decode(Buffer.from(posix.basename(key)).subarray(0, STEM_BYTES), { stream: true });
  const name = `.${stem}.${randomBytes(8).toString('hex')}.partial`;
  return folder === '.' ? name : `${folder}/${name}`;
}

export function isTemporary(key: string): boolean {
  return TEMPORARY.test(posix.basename(key));
}

/** Byte order, as S3 lists: differs from JavaScript's own order of strings outside the basic plane. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
