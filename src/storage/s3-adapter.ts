import {
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  type ListMultipartUploadsCommandOutput,
} from '@aws-sdk/client-s3';
import { BackupError } from '../errors.ts';
import { bytesContent } from './content.ts';
import { createS3Client, type S3StorageOptions, type S3Target } from './s3-client.ts';
import { s3Error } from './s3-error.ts';
import { headObject, objectProtection, readObject } from './s3-get.ts';
import { putObject } from './s3-put.ts';
import { abortUpload } from './s3-upload.ts';
import type { S3Place } from './s3-place.ts';
import type { Leftover, ObjectInfo, Storage } from './storage.ts';
import { isTemporary, temporaryKey } from './storage-key.ts';

/** All of a storage that needs the SDK. */
export interface S3Adapter extends Required<Omit<Storage, 'name' | 'location' | 'free'>> {
  close(): void;
}

export function openS3(options: S3StorageOptions, at: S3Place): S3Adapter {
  const target: S3Target = { client: createS3Client(options), bucket: options.bucket, at };
  const { base } = at;
  const place = `s3://${options.bucket}/${base}`;

  return {
    put: async (key, content, signal) => putObject(target, key, content, signal),
    get: (key, range, signal) => readObject(target, key, range, signal),
    head: async (key, signal) => headObject(target, key, signal),

    protection: async (key, signal) => objectProtection(target, key, signal),

    async *list(prefix, signal) {
      for await (const object of listAll(target, base, prefix, signal)) if (!isTemporary(object.key)) yield object;
    },

    async remove(key, signal) {
      await removeObject(target, key, signal);
    },

    async leftovers(prefix, before, signal) {
      const found: Leftover[] = [];
      for await (const { leftover } of listLeftovers(target, base, prefix, before, signal)) found.push(leftover);
      return found;
    },

    async sweep(prefix, before, signal) {
      const removed: Leftover[] = [];
      for await (const { leftover, upload } of listLeftovers(target, base, prefix, before, signal)) {
        if (upload) await abortUpload(target, upload.Key, upload.UploadId, signal ?? new AbortController().signal);
        else await removeObject(target, leftover.key, signal);
        removed.push(leftover);
      }
      return removed;
    },

    async probe(signal) {
      const key = temporaryKey('probe');
      const sent = Buffer.from('db-backup probe');
      try {
        await putObject(target, key, bytesContent(sent), signal);
        const received: Uint8Array[] = [];
        for await (const chunk of readObject(target, key, undefined, signal)) received.push(chunk);
        if (!Buffer.concat(received).equals(sent)) {
          throw new BackupError('STORAGE_CORRUPT', `${place} does not give back what is stored in it`, {
            hint: 'Check the S3 server, and any proxy in front of it, before trusting it with a backup.',
          });
        }
      } catch (error) {
        await removeObject(target, key).catch(() => undefined);
        throw error;
      }
      await removeObject(target, key, signal);
    },

    close() {
      target.client.destroy();
    },
  };
}

async function removeObject(target: S3Target, key: string, signal?: AbortSignal): Promise<void> {
  const Key = target.at.objectName(key);
  signal?.throwIfAborted();
  try {
    await target.client.send(new DeleteObjectCommand({ Bucket: target.bucket, Key }), signal ? { abortSignal: signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw s3Error(error, 'remove', target.at.location(key));
  }
}

/** Every object below the base whose key starts with `prefix`, temporary ones included, in byte order as S3 gives them. */
async function* listAll(target: S3Target, base: string, prefix: string, signal?: AbortSignal): AsyncGenerator<ObjectInfo> {
  signal?.throwIfAborted();
  const Prefix = base + prefix;
  try {
    const pages = paginateListObjectsV2(
      { client: target.client },
      { Bucket: target.bucket, Prefix },
      signal ? { abortSignal: signal } : {},
    );
    for await (const { Contents = [] } of pages) {
      for (const { Key, Size, LastModified } of Contents) {
        if (Key === undefined || Size === undefined || !LastModified) throw new Error('the answer lacks key, size or time');
        // Some tools make empty objects that stand for folders.
        if (!Key.endsWith('/')) yield { key: Key.slice(base.length), size: Size, modified: LastModified };
      }
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw s3Error(error, 'list', `s3://${target.bucket}/${Prefix}`);
  }
}

/** Incomplete uploads, and what a probe leaves that was killed in between. */
async function* listLeftovers(target: S3Target, base: string, prefix: string, before: Date, signal: AbortSignal | undefined) {
  for await (const { Key = '', UploadId = '', Initiated } of listUploads(target, base + prefix, signal)) {
    if (!Initiated || Initiated >= before) continue;
    const leftover: Leftover = { key: Key.slice(base.length), kind: 'incomplete-upload', started: Initiated };
    yield { leftover, upload: { Key, UploadId } };
  }
  for await (const { key, modified } of listAll(target, base, prefix, signal)) {
    if (!isTemporary(key) || modified >= before) continue;
    const leftover: Leftover = { key, kind: 'temporary-file', started: modified };
    yield { leftover, upload: undefined };
  }
}

async function* listUploads(target: S3Target, Prefix: string, signal?: AbortSignal) {
  signal?.throwIfAborted();
  let page: ListMultipartUploadsCommandOutput | undefined;
  do {
    try {
      const from = page && { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
      page = await target.client.send(
        new ListMultipartUploadsCommand({ Bucket: target.bucket, Prefix, ...from }),
        signal ? { abortSignal: signal } : {},
      );
    } catch (error) {
      signal?.throwIfAborted();
      throw s3Error(error, 'list the incomplete uploads in', `s3://${target.bucket}/${Prefix}`);
    }
    yield* page.Uploads ?? [];
  } while (page.IsTruncated === true);
}
