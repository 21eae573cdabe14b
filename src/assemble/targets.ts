import type { Config } from '../config.ts';
import { createDiskStorage, type DiskStorage } from '../storage/disk.ts';
import { DEFAULT_RETRIES, withRetries, type RetryPolicy } from '../storage/retrying.ts';
import { createS3Storage, type S3Storage } from '../storage/s3.ts';
import type { Storage } from '../storage/storage.ts';

/** Puts something around a target. */
export type Decorate = <T extends Storage>(target: T) => T;

export interface TargetsOfSource {
  /** The local one, if there is one. */
  readonly spool?: DiskStorage;
  readonly others: readonly Storage[];
  /** All of them, the local one first. */
  readonly targets: readonly Storage[];
  readonly retries: RetryPolicy;
}

/** Makes the targets of sources. Those that are configured alike are the same object: one client for each bucket. */
export function createTargets(more: readonly Storage[], decorate: Decorate) {
  const folders = new Map<string, DiskStorage>();
  const buckets = new Map<string, { readonly bucket: S3Storage; readonly storage: Storage }>();
  return {
    of({ targets: { local, s3 }, storage: { attempts } }: Config): TargetsOfSource {
      const retries: RetryPolicy = { ...DEFAULT_RETRIES, attempts };
      const spool =
        local &&
        made(folders, local.directory, () =>
          decorate(createDiskStorage({ name: 'local', root: local.directory, mounted: local.mounted })),
        );
      const bucket =
        s3 &&
        // With the secrets, which printing would mask.
        made(buckets, JSON.stringify([{ ...s3, credentials: { ...s3.credentials } }, attempts]), () => {
          const plain = createS3Storage({ name: 's3', ...s3 });
          return { bucket: plain, storage: withRetries(decorate(plain), retries) };
        });
      const others = [...(bucket ? [bucket.storage] : []), ...more];
      return { ...(spool && { spool }), others, targets: [...(spool ? [spool] : []), ...others], retries };
    },
    close(): void {
      for (const { bucket } of buckets.values()) bucket.close();
    },
  };
}

function made<T>(known: Map<string, T>, key: string, make: () => T): T {
  const found = known.get(key) ?? make();
  known.set(key, found);
  return found;
}
