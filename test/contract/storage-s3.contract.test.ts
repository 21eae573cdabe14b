import { CreateMultipartUploadCommand, ListMultipartUploadsCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { createS3Storage } from '../../src/storage/s3.ts';
import { test } from '@jest/globals';
import { startS3Server } from '../support/s3-server.ts';
import { storageContract } from './storage.contract.ts';

const server = await startS3Server();

if (server) {
  storageContract('S3', async () => {
    const bucket = 'contract';
    await server.createBucket(bucket);
    const client = server.client();
    const storage = createS3Storage({ name: 's3', bucket, prefix: 'database-backups', ...server });
    return {
      storage,
      async leftovers() {
        const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
        return Uploads.length;
      },
      async killedPut(key) {
        const Key = `database-backups/${key}`;
        const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
        const part = { Bucket: bucket, Key, UploadId, PartNumber: 1, Body: Buffer.alloc(5 * 1024 * 1024) };
        await client.send(new UploadPartCommand(part));
      },
      async stop() {
        storage.close();
        client.destroy();
        await server.stop();
      },
    };
  });
} else {
  console.warn('not run: the storage contract on a real S3 server; the reason stands above');
  test.skip('the storage contract: S3 (no S3 server here)', () => undefined);
}
