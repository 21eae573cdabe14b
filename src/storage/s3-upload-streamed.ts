import { Readable } from 'node:stream';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
  type CompletedPart,
} from '@aws-sdk/client-s3';
import { abortable } from './abortable.ts';
import { DEFAULT_RETRIES, retry } from './retrying.ts';
import { s3Error } from './s3-error.ts';
import { createParameters, withGrace, type S3Upload } from './s3-upload.ts';

/** Where the bytes of one part can be read again when it is sent. */
interface Part {
  readonly number: number;
  readonly start: number;
  size: number;
  /** The last bytes of the part, if the content could no longer be read again when they came. */
  readonly kept: Buffer[];
  keptBytes: number;
}

/**
 * Sends large parts without holding them: each is read once for its checksum, as far as the content has grown, and a
 * second time from the content while it is sent. Only what cannot be read a second time is kept in memory, one part at most.
 */
export async function uploadStreamed(upload: S3Upload): Promise<void> {
  const { client } = upload.target;
  const { signal, content, digest } = upload;
  const parameters = createParameters(upload);
  const created = await client.send(new CreateMultipartUploadCommand(parameters), { abortSignal: withGrace(signal) });
  upload.uploadId = created.UploadId;

  const sent: CompletedPart[] = [];
  let part: Part = newPart(1, 0);
  for await (const chunk of abortable(content.open(), signal)) {
    for (let taken = 0; taken < chunk.length;) {
      if (part.size === upload.partSize) {
        sent.push(await send(upload, part));
        part = newPart(part.number + 1, part.start + part.size);
      }
      const bytes = chunk.subarray(taken, taken + upload.partSize - part.size);
      digest.update(bytes);
      if (!content.replayable) {
        part.kept.push(Buffer.from(bytes));
        part.keptBytes += bytes.length;
      }
      part.size += bytes.length;
      taken += bytes.length;
    }
  }
  sent.push(await send(upload, part));

  signal.throwIfAborted();
  upload.completing = true;
  const { Bucket, Key } = parameters;
  await client.send(
    new CompleteMultipartUploadCommand({ Bucket, Key, UploadId: upload.uploadId, MultipartUpload: { Parts: sent } }),
    {
      abortSignal: signal,
    },
  );
}

function newPart(number: number, start: number): Part {
  return { number, start, size: 0, kept: [], keptBytes: 0 };
}

async function send(upload: S3Upload, part: Part): Promise<CompletedPart> {
  const { target, key, signal } = upload;
  const checksum = upload.digest.endPart();
  const location = target.at.location(key);
  // The SDK sends a stream once only; its bytes are at hand, so it can be done again here.
  return retry(
    DEFAULT_RETRIES,
    async () => {
      const body = Readable.from(bytesOf(upload, part));
      try {
        const answer = await target.client.send(
          new UploadPartCommand({
            Bucket: target.bucket,
            Key: target.at.objectName(key),
            UploadId: upload.uploadId,
            PartNumber: part.number,
            Body: body,
            ContentLength: part.size,
            ChecksumAlgorithm: 'CRC32',
            ChecksumCRC32: checksum,
          }),
          { abortSignal: signal },
        );
        return {
          PartNumber: part.number,
          ETag: answer.ETag,
          ...(answer.ChecksumCRC32 !== undefined && { ChecksumCRC32: checksum }),
        };
      } catch (error) {
        signal.throwIfAborted();
        throw s3Error(error, 'write', location);
      } finally {
        body.destroy();
      }
    },
    signal,
  );
}

async function* bytesOf({ content, signal }: S3Upload, part: Part): AsyncGenerator<Buffer, void, undefined> {
  let left = part.size - part.keptBytes;
  if (left > 0) {
    for await (const chunk of abortable(content.open(part.start), signal)) {
      // A copy: the socket may still hold the chunk when the content overwrites it.
      yield Buffer.from(chunk.subarray(0, left));
      left -= Math.min(left, chunk.length);
      if (left === 0) break;
    }
  }
  yield* part.kept;
}
