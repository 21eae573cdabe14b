import { S3Client } from '@aws-sdk/client-s3';
import type { S3Place } from './s3-place.ts';

export interface S3StorageOptions {
  readonly name: string;
  readonly bucket: string;
  /** Folder inside the bucket, without slashes at its ends; everything is kept below it. */
  readonly prefix?: string;
  readonly region?: string;
  /** For servers other than AWS: `https://minio.example:9000`. */
  readonly endpoint?: string;
  /** Whether the bucket is named in the path and not in the host name; by default where there is an endpoint. */
  readonly pathStyle?: boolean;
  /** By default the SDK's own chain: environment, shared files, container and instance roles. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
  /** How often the SDK itself sends one request in all; 3 by default. */
  readonly maxAttempts?: number;
  /** A connection on which nothing moves for this long is dead; 5 minutes by default, so that a slow reader does not lose it. */
  readonly socketTimeoutMs?: number;
}

/** What the parts of the S3 adapter share. */
export interface S3Target {
  readonly client: S3Client;
  readonly bucket: string;
  readonly at: S3Place;
}

const CONNECT_TIMEOUT_MS = 10_000;
const SOCKET_TIMEOUT_MS = 300_000;

/** The SDK warns on the console of failures that it throws as well; they are reported where they are caught. */
const nothing = () => undefined;
const SILENT = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };

export function createS3Client(options: S3StorageOptions): S3Client {
  const region = options.region ?? (options.endpoint === undefined ? undefined : 'us-east-1');
  return new S3Client({
    ...(region !== undefined && { region }),
    ...(options.endpoint !== undefined && {
      endpoint: options.endpoint,
      // Many servers other than AWS do not understand the checksums that the SDK adds by itself. The ones that matter, on
      // what is stored, are asked for one by one.
      requestChecksumCalculation: 'WHEN_REQUIRED' as const,
      responseChecksumValidation: 'WHEN_REQUIRED' as const,
    }),
    forcePathStyle: options.pathStyle ?? options.endpoint !== undefined,
    ...(options.credentials && { credentials: options.credentials }),
    logger: SILENT,
    maxAttempts: options.maxAttempts ?? 3,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: options.socketTimeoutMs ?? SOCKET_TIMEOUT_MS },
  });
}
