import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { abortable } from './abortable.ts';
import { createParameters, withGrace, type S3Upload } from './s3-upload.ts';

/** Memory for parts under way. */
const BUFFER_BYTES = 32 * 1024 * 1024;
const MAX_CONCURRENT = 4;
const PIECE_BYTES = 1024 * 1024;

/** Sends the content by lib-storage, several parts at once from memory; content of one part as a plain object. */
export async function uploadBuffered(upload: S3Upload): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([upload.signal, failed.signal]);
  const body = Readable.from(pieces(upload, signal), { highWaterMark: 1 });
  const transfer = new Upload({
    client: watchedClient(upload, signal, (error) => {
      failed.abort(error);
    }),
    partSize: upload.partSize,
    queueSize: Math.min(MAX_CONCURRENT, Math.max(1, Math.floor(BUFFER_BYTES / upload.partSize))),
    leavePartsOnError: true,
    params: { ...createParameters(upload), Body: body },
  });
  try {
    await transfer.done();
  } catch (error) {
    // The first failure made the other requests fail; it is the one that says why.
    signal.throwIfAborted();
    throw error;
  } finally {
    body.destroy();
  }
}

/**
 * The content in buffers of its own of 1 MiB, which divides every part: lib-storage joins what it is fed until a part is
 * exceeded, so smaller pieces cost time and larger ones memory.
 */
async function* pieces(upload: S3Upload, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  const { digest, partSize, content } = upload;
  const pieceSize = Math.max(1, Math.min(PIECE_BYTES, content.size ?? PIECE_BYTES));
  let piece = Buffer.allocUnsafe(pieceSize);
  let filled = 0;
  let inPart = 0;
  for await (const chunk of abortable(content.open(), signal)) {
    for (let taken = 0; taken < chunk.length;) {
      const step = Math.min(chunk.length - taken, piece.length - filled, partSize - inPart);
      const bytes = chunk.subarray(taken, taken + step);
      piece.set(bytes, filled);
      digest.update(bytes);
      filled += step;
      taken += step;
      inPart += step;
      if (inPart === partSize) {
        digest.endPart();
        inPart = 0;
      }
      if (filled === piece.length) {
        yield piece;
        piece = Buffer.allocUnsafe(PIECE_BYTES);
        filled = 0;
      }
    }
  }
  if (inPart > 0) digest.endPart();
  if (filled > 0) yield piece.subarray(0, filled);
}

/**
 * The client as lib-storage sees it. lib-storage neither stops requests under way when it is aborted nor stops the other
 * parts when one has failed; this does both, and takes note of the upload's identifier.
 */
function watchedClient(upload: S3Upload, signal: AbortSignal, onFailure: (error: unknown) => void): S3Client {
  const { client } = upload.target;
  const send = async (command: Parameters<S3Client['send']>[0]) => {
    const isCreate = command.constructor.name === 'CreateMultipartUploadCommand';
    if (['CompleteMultipartUploadCommand', 'PutObjectCommand'].includes(command.constructor.name)) {
      signal.throwIfAborted();
      upload.completing = true;
    }
    try {
      // Cut off, the answer to "create" would take the identifier with it that is needed to clean up.
      const answer: object = await client.send(command, { abortSignal: isCreate ? withGrace(signal) : signal });
      if (isCreate) upload.uploadId = (answer as { UploadId?: string }).UploadId;
      return answer;
    } catch (error) {
      onFailure(error);
      throw error;
    }
  };
  return Object.create(client, { send: { value: send } }) as S3Client;
}
