import type { Readable } from 'node:stream';
import { GetObjectCommand, HeadBucketCommand, HeadObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { BackupError } from '../errors.ts';
import { abortable } from './abortable.ts';
import type { S3Target } from './s3-client.ts';
import { hasName, s3Error, statusOf } from './s3-error.ts';
import type { ByteRange, ObjectInfo, Protection } from './storage.ts';

/** Reads an object or a range of it, and throws if fewer bytes come than were announced or asked for. */
export async function* readObject(
  target: S3Target,
  key: string,
  range?: ByteRange,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const location = target.at.location(key);
  const answer = await request(target, key, range, signal);
  if (!answer) return;
  const expected = answer.ContentLength;
  if (range?.length !== undefined && expected !== undefined && expected < range.length) {
    (answer.Body as Readable).destroy();
    throw tooShort(location, range.offset + expected, range.offset + range.length);
  }
  const body = answer.Body as Readable;
  let received = 0;
  try {
    for await (const chunk of abortable(body as AsyncIterable<Buffer>, signal)) {
      received += chunk.length;
      yield chunk;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw s3Error(error, 'read', location);
  } finally {
    body.destroy();
  }
  if (received !== (range?.length ?? expected ?? received)) {
    throw new BackupError(
      'STORAGE_UNAVAILABLE',
      `cannot read ${location}: the answer ended after ${received} of ${expected ?? '?'} bytes`,
      {
        hint: 'The connection or a proxy in between cut it off. Check the network and the server.',
        retryable: true,
      },
    );
  }
}

/** What is stored under `key`; `undefined` only if the server says that bucket exists and the object does not. */
export async function headObject(target: S3Target, key: string, signal?: AbortSignal): Promise<ObjectInfo | undefined> {
  signal?.throwIfAborted();
  const options = signal ? { abortSignal: signal } : {};
  const name = target.at.objectName(key);
  try {
    const found = await target.client.send(new HeadObjectCommand({ Bucket: target.bucket, Key: name }), options);
    if (found.ContentLength === undefined || !found.LastModified) throw new Error('the answer lacks size or time');
    return { key, size: found.ContentLength, modified: found.LastModified };
  } catch (error) {
    signal?.throwIfAborted();
    if (statusOf(error) !== 404) throw s3Error(error, 'look at', target.at.location(key));
  }
  // An answer to HEAD has no body, so a missing bucket looks like a missing object.
  try {
    await target.client.send(new HeadBucketCommand({ Bucket: target.bucket }), options);
    return undefined;
  } catch (error) {
    signal?.throwIfAborted();
    const cause = statusOf(error) === 404 ? Object.assign(error as object, { name: 'NoSuchBucket' }) : error;
    throw s3Error(cause, 'look at', target.at.location(key));
  }
}

/**
 * Object Lock and versions of what is stored under `key`. S3 leaves the lock out of the answer for those who may not see it
 * (`s3:GetObjectRetention`, `s3:GetObjectLegalHold`); a locked version then stays behind what hides it.
 */
export async function objectProtection(target: S3Target, key: string, signal?: AbortSignal): Promise<Protection | undefined> {
  signal?.throwIfAborted();
  try {
    const command = new HeadObjectCommand({ Bucket: target.bucket, Key: target.at.objectName(key) });
    const found = await target.client.send(command, signal ? { abortSignal: signal } : {});
    return {
      ...(found.ObjectLockRetainUntilDate && { lockedUntil: found.ObjectLockRetainUntilDate }),
      legalHold: found.ObjectLockLegalHoldStatus === 'ON',
      // Where versions were never kept there is no number, or the one called null.
      versioned: found.VersionId !== undefined && found.VersionId !== 'null',
    };
  } catch (error) {
    signal?.throwIfAborted();
    if (statusOf(error) === 404) return undefined;
    throw s3Error(error, 'look at', target.at.location(key));
  }
}

/** The answer to GET; `undefined` when the range is empty. */
async function request(
  target: S3Target,
  key: string,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
): Promise<GetObjectCommandOutput | undefined> {
  signal?.throwIfAborted();
  const location = target.at.location(key);
  if (range?.length === 0) return nothing(target, key, range.offset, signal);
  try {
    const answer = await target.client.send(
      new GetObjectCommand({ Bucket: target.bucket, Key: target.at.objectName(key), ...headerOf(range) }),
      signal ? { abortSignal: signal } : {},
    );
    if (headerOf(range).Range !== undefined && answer.ContentRange === undefined) {
      (answer.Body as Readable).destroy();
      throw new BackupError('STORAGE_FAILED', `cannot read ${location}: the server ignores ranges`, {
        hint: 'This S3 server (or a proxy in front of it) does not answer range requests, which restoring needs.',
      });
    }
    return answer;
  } catch (error) {
    signal?.throwIfAborted();
    if (!hasName(error, 'InvalidRange') && statusOf(error) !== 416) throw s3Error(error, 'read', location);
    if (range?.length !== undefined) {
      const size = (await headObject(target, key, signal))?.size ?? 0;
      throw tooShort(location, size, range.offset + range.length);
    }
    return nothing(target, key, range?.offset ?? 0, signal);
  }
}

async function nothing(target: S3Target, key: string, offset: number, signal: AbortSignal | undefined): Promise<undefined> {
  const found = await headObject(target, key, signal);
  if (!found) throw s3Error({ name: 'NoSuchKey' }, 'read', target.at.location(key));
  if (found.size < offset) throw tooShort(target.at.location(key), found.size, offset);
  return undefined;
}

function headerOf(range: ByteRange | undefined): { Range?: string } {
  if (!range || (range.offset === 0 && range.length === undefined)) return {};
  const end = range.length === undefined ? '' : range.offset + range.length - 1;
  return { Range: `bytes=${range.offset}-${end}` };
}

function tooShort(location: string, size: number, end: number): BackupError {
  return new BackupError('STORAGE_CORRUPT', `${location} holds ${size} bytes where at least ${end} were expected`, {
    hint: 'The object has been cut off. Use the copy on another target, and check this one with `backup-manager verify`.',
  });
}
