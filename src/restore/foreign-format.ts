import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, constants } from 'node:zlib';
import { BackupError } from '../errors.ts';

/** How a file that db-backup did not make (or has no manifest of) is to be restored. */
export type ForeignFormat = 'sql' | 'sql.gz' | 'sql.zst' | 'custom' | 'directory' | 'tar';

/** Enough for every mark that is looked for. */
const SAMPLE_BYTES = 64 * 1024;

/** Tells by its content what kind of dump a file or folder is. Throws `BACKUP_FORMAT` when it is none that can be restored. */
export async function detectFormat(path: string): Promise<ForeignFormat> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new BackupError('BACKUP_UNKNOWN', `There is no file ${path}.`, {
      cause,
      hint: '`backup-manager list-backups` shows the backups that can be named by label.',
    });
  });
  if (info.isDirectory()) {
    if (await stat(join(path, 'toc.dat')).catch(() => undefined)) return 'directory';
    throw unknown(path, 'the folder has no toc.dat, so pg_dump did not make it');
  }
  const sample = await readSample(path);
  if (sample.length === 0) throw unknown(path, 'it is empty');
  if (startsWith(sample, 'PGDMP')) return 'custom';
  if (startsWith(sample, 'toc.dat')) return 'tar';
  if (sample[0] === 0x1f && sample[1] === 0x8b) return checkText(path, 'sql.gz', inflateSample(sample));
  const magic = sample.length >= 4 ? sample.readUInt32LE(0) : 0;
  // A zstd frame, or a skippable one before it.
  if (magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50) return checkText(path, 'sql.zst', undefined);
  return checkText(path, 'sql', sample);
}

function checkText(path: string, format: ForeignFormat, text: Buffer | undefined): ForeignFormat {
  if (text && startsWith(text, 'PGDMP'))
    throw unknown(path, 'it is a compressed archive of pg_dump; decompress it first (gunzip)');
  if (text?.includes(0)) throw unknown(path, 'it holds zero bytes, which SQL does not');
  if (text && startsWith(text, '<')) throw unknown(path, 'it looks like HTML or XML, perhaps the error page of a download');
  return format;
}

async function readSample(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(SAMPLE_BYTES), 0, SAMPLE_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The beginning of the text; the sample ends in mid-stream. */
function inflateSample(sample: Buffer): Buffer | undefined {
  try {
    return gunzipSync(sample, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return undefined;
  }
}

function startsWith(bytes: Buffer, mark: string): boolean {
  return bytes.subarray(0, mark.length).equals(Buffer.from(mark, 'latin1'));
}

function unknown(path: string, why: string): BackupError {
  return new BackupError('BACKUP_FORMAT', `${path} is not a dump that can be restored: ${why}. Nothing was changed.`, {
    hint: 'What can be restored: our own dumps, SQL (plain, .gz, .zst), and the custom, directory and tar archives of pg_dump.',
  });
}
