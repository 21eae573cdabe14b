import { createHash, randomUUID } from 'node:crypto';
import { DeleteObjectCommand, HeadObjectCommand, type HeadObjectCommandOutput } from '@aws-sdk/client-s3';

import { BackupError } from '../errors.ts';
import { retry } from './retrying.ts';
import type { S3Target } from './s3-client.ts';
import { hasName, s3Error } from './s3-error.ts';
import { readObject } from './s3-get.ts';
import { createPartDigest, partSizeFor } from './s3-parts.ts';
import { abortUpload, CLEAN_UP_MS, PUT_ID, type S3Upload } from './s3-upload.ts';
import { uploadBuffered } from './s3-upload-buffered.ts';
import { uploadStreamed } from './s3-upload-streamed.ts';
import type { Content, PutResult } from './storage.ts';

/** Parts above this are streamed from where the content lies instead of being held in memory. */
const LARGEST_BUFFERED_PART = 32 * 1024 * 1024;

const CLEAN_UP_RETRIES = { attempts: 4, baseDelayMs: 100, maxDelayMs: 1000 };

/** Stores an object as the port promises: whole, checked, or not visible. `partSize` overrules the computed one. */
export async function putObject(
  target: S3Target,
  key: string,
  content: Content,
  signal: AbortSignal = new AbortController().signal,
  partSize = partSizeFor(content),
): Promise<PutResult> {
  signal.throwIfAborted();
  const upload: S3Upload = {
    target,
    key,
    content,
    partSize,
    digest: createPartDigest(),
    putId: randomUUID(),
    signal,
    completing: false,
  };
  const location = target.at.location(key);
  try {
    await (partSize > LARGEST_BUFFERED_PART ? uploadStreamed(upload) : uploadBuffered(upload));
  } catch (error) {
    if (!(await isThereAfterAll(upload, error))) {
      signal.throwIfAborted();
      throw s3Error(error, 'write', location);
    }
  }
  const sha256 = upload.digest.sha256();
  try {
    const checkedBy = await check(upload, sha256);
    return { size: upload.digest.size, sha256, checkedBy };
  } catch (error) {
    // Stored, but not proven good: it must not stay visible.
    await removeOwn(upload).catch(() => undefined);
    signal.throwIfAborted();
    throw s3Error(error, 'check', location);
  }
}

/**
 * After a failure: removes what was begun. Returns true if the object is whole all the same, because only the answer to
 * the last request was lost; a caller that has aborted does not want it any more.
 */
async function isThereAfterAll(upload: S3Upload, error: unknown): Promise<boolean> {
  const { target, key, uploadId } = upload;
  const timeout = AbortSignal.timeout(CLEAN_UP_MS);
  try {
    if (uploadId !== undefined) {
      await retry(CLEAN_UP_RETRIES, () => abortUpload(target, target.at.objectName(key), uploadId, timeout), timeout);
    }
    if (!upload.completing) return false;
    const unclear = upload.signal.aborted || hasName(error, 'NoSuchUpload') || s3Error(error, '', '').retryable;
    if (!unclear || !isOwn(upload, await headObject(upload, timeout))) return false;
    if (!upload.signal.aborted) return true;
    await removeOwn(upload);
    return false;
  } catch {
    // The first failure is what the caller must see; what is left behind is found by `sweep`.
    return false;
  }
}

async function check(upload: S3Upload, sha256: string): Promise<PutResult['checkedBy']> {
  const { target, key, digest, signal } = upload;
  const found = await headObject(upload, signal);
  if (!found) throw damaged(upload, 'is not there after it was stored');
  if (found.ContentLength !== digest.size)
    throw damaged(upload, `has ${found.ContentLength ?? 0} bytes instead of ${digest.size}`);
  if (found.ChecksumCRC32 !== undefined) {
    if (!digest.matches(found.ChecksumCRC32)) throw damaged(upload, 'has another checksum than what was sent');
    return 'server-checksum';
  }
  const hash = createHash('sha256');
  for await (const chunk of readObject(target, key, undefined, signal)) hash.update(chunk);
  if (hash.digest('hex') !== sha256) throw damaged(upload, 'reads back as other bytes than were sent');
  return 'read-back';
}

function damaged(upload: S3Upload, what: string): BackupError {
  return new BackupError('STORAGE_CORRUPT', `${upload.target.at.location(upload.key)} ${what}`, {
    hint: 'The copy was removed. If this happens again, the S3 server or the way to it damages data.',
    retryable: true,
  });
}

async function headObject({ target, key }: S3Upload, signal: AbortSignal): Promise<HeadObjectCommandOutput | undefined> {
  try {
    const command = new HeadObjectCommand({ Bucket: target.bucket, Key: target.at.objectName(key), ChecksumMode: 'ENABLED' });
    return await target.client.send(command, { abortSignal: signal });
  } catch (error) {
    if (hasName(error, 'NotFound', 'NoSuchKey')) return undefined;
    throw error;
  }
}

function isOwn(upload: S3Upload, found: HeadObjectCommandOutput | undefined): boolean {
  return found?.Metadata?.[PUT_ID] === upload.putId;
}

/** Removes the object, unless it is somebody else's by now. */
async function removeOwn(upload: S3Upload): Promise<void> {
  const { target, key } = upload;
  const timeout = AbortSignal.timeout(CLEAN_UP_MS);
  if (!isOwn(upload, await headObject(upload, timeout))) return;
  await target.client.send(new DeleteObjectCommand({ Bucket: target.bucket, Key: target.at.objectName(key) }), {
    abortSignal: timeout,
  });
}
