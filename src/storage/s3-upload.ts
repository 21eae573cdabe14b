import { AbortMultipartUploadCommand, ListPartsCommand } from '@aws-sdk/client-s3';
import type { Content } from './storage.ts';
import type { S3Target } from './s3-client.ts';
import { hasName, s3Error } from './s3-error.ts';
import type { PartDigest } from './s3-parts.ts';

/** One put on its way. The two ways to upload (buffered and streamed parts) share it. */
export interface S3Upload {
  readonly target: S3Target;
  readonly key: string;
  readonly content: Content;
  readonly partSize: number;
  readonly digest: PartDigest;
  /** Goes with the object as metadata, so that an object can be told to be this very upload's. */
  readonly putId: string;
  /** Aborts when the caller's signal does, and when any part has failed. */
  readonly signal: AbortSignal;
  /** Set by the uploader once known. */
  uploadId?: string | undefined;
  /** Set by the uploader when the request that makes the object visible is about to be sent. */
  completing: boolean;
}

/** The name of the metadata that holds {@link S3Upload.putId}. */
export const PUT_ID = 'db-backup-put';

/** Time that cleaning up may take, whatever the server does: a stop of the daemon must not hang on it. */
export const CLEAN_UP_MS = 3000;

/** What object and upload are created with. */
export function createParameters(upload: S3Upload) {
  return {
    Bucket: upload.target.bucket,
    Key: upload.target.at.objectName(upload.key),
    ChecksumAlgorithm: 'CRC32' as const,
    Metadata: { [PUT_ID]: upload.putId },
  };
}

/** A signal for requests that should still get their answer when the rest has been told to stop, but not wait for ever. */
export function withGrace(signal: AbortSignal, graceMs = CLEAN_UP_MS): AbortSignal {
  const late = new AbortController();
  const onAbort = () => {
    setTimeout(() => late.abort(signal.reason), graceMs).unref();
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return late.signal;
}

/** Removes the parts of an upload. S3 may still accept a part that was on its way, so it asks until nothing is left. */
export async function abortUpload(target: S3Target, objectName: string, uploadId: string, signal: AbortSignal): Promise<void> {
  const upload = { Bucket: target.bucket, Key: objectName, UploadId: uploadId };
  for (let attempt = 0; attempt < 5; attempt += 1) {
    try {
      await target.client.send(new AbortMultipartUploadCommand(upload), { abortSignal: signal });
      const { Parts = [] } = await target.client.send(new ListPartsCommand(upload), { abortSignal: signal });
      if (Parts.length === 0) return;
    } catch (error) {
      if (hasName(error, 'NoSuchUpload', 'NoSuchKey', 'NotFound')) return;
      throw s3Error(error, 'abort the incomplete upload of', `s3://${target.bucket}/${objectName}`);
    }
  }
}
