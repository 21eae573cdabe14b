import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createDiskStorage } from '../../src/storage/disk.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { startS3Server } from '../../test/support/s3-server.ts';

export interface OffSite {
  /** What it is, for the person who watches. */
  readonly says: string;
  readonly env: Readonly<Record<string, string>>;
  readonly moreTargets?: readonly Storage[];
  stop(): Promise<void>;
}

const BUCKET = 'db-backup-demo';

/** The second target: a real S3 server on this machine or, where none can be had, a second folder that stands for one. */
export async function startOffSite(folder: string, print: (line: string) => void): Promise<OffSite> {
  const server = await startS3Server(print);
  if (server) {
    await server.createBucket(BUCKET);
    return {
      says: `a real S3 server on ${server.endpoint}, which ends with this demo`,
      env: {
        BACKUP_S3_BUCKET: BUCKET,
        BACKUP_S3_ENDPOINT: server.endpoint,
        AWS_REGION: server.region,
        AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
      },
      stop: () => server.stop(),
    };
  }
  const root = join(folder, 'off-site');
  await mkdir(root);
  return {
    says: `a second folder, ${root}: it stands for an S3 bucket, which cannot be had here`,
    env: {},
    moreTargets: [createDiskStorage({ name: 'off-site', root })],
    stop: () => Promise.resolve(),
  };
}
