import type pg from 'pg';
import type { Connection, Submittable } from 'pg';

const CHUNK_BYTES = 64 * 1024;

/** What the driver's connection can do besides, which its types do not know. */
interface CopyIn {
  sendCopyFromChunk(chunk: Uint8Array): void;
  endCopyFrom(): void;
}

/** Tells the server what an earlier base backup has, so that the next one of this connection can be an incremental one. */
export async function uploadManifest(client: pg.Client, manifest: Uint8Array): Promise<void> {
  const query = new UploadQuery(manifest);
  client.query(query as unknown as Submittable);
  await query.done;
}

/** Driven by the driver's callbacks. */
class UploadQuery {
  readonly done: Promise<void>;
  readonly #manifest: Uint8Array;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;

  constructor(manifest: Uint8Array) {
    this.#manifest = manifest;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  submit(connection: Connection): void {
    connection.query('UPLOAD_MANIFEST');
  }

  handleCopyInResponse(connection: Connection): void {
    const copy = connection as unknown as CopyIn;
    for (let at = 0; at < this.#manifest.length; at += CHUNK_BYTES)
      copy.sendCopyFromChunk(this.#manifest.subarray(at, at + CHUNK_BYTES));
    copy.endCopyFrom();
  }

  handleCommandComplete(): void {
    // The server has taken it; it is ready next.
  }

  handleError(error: unknown): void {
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    this.#resolve();
  }
}
