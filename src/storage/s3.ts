import type { S3StorageOptions } from './s3-client.ts';
import { s3Place } from './s3-place.ts';
import type { Storage } from './storage.ts';

export type { S3StorageOptions } from './s3-client.ts';

export interface S3Storage extends Storage {
  /** Closes idle connections; the storage cannot be used afterwards. */
  close(): void;
}

/**
 * A target in an S3 bucket, on AWS or any server that speaks its protocol. The SDK is loaded with the first request: that takes as
 * long as the start of everything else, and a command without a bucket does without it.
 */
export function createS3Storage(options: S3StorageOptions): S3Storage {
  const place = s3Place(options.bucket, options.prefix);
  let opened: ReturnType<typeof load> | undefined;
  const load = async () => (await import('./s3-adapter.ts')).openS3(options, place);
  const s3 = () => (opened ??= load());
  return {
    name: options.name,
    location: (key) => place.location(key),
    put: async (key, content, signal) => await (await s3()).put(key, content, signal),
    async *get(key, range, signal) {
      yield* (await s3()).get(key, range, signal);
    },
    head: async (key, signal) => await (await s3()).head(key, signal),
    protection: async (key, signal) => await (await s3()).protection(key, signal),
    async *list(prefix, signal) {
      yield* (await s3()).list(prefix, signal);
    },
    remove: async (key, signal) => await (await s3()).remove(key, signal),
    leftovers: async (prefix, before, signal) => await (await s3()).leftovers(prefix, before, signal),
    sweep: async (prefix, before, signal) => await (await s3()).sweep(prefix, before, signal),
    probe: async (signal) => await (await s3()).probe(signal),
    close() {
      void opened?.then(
        (adapter) => adapter.close(),
        () => undefined,
      );
    },
  };
}
