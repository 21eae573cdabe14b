import { checkKey } from './storage-key.ts';

/** Where in a bucket a storage keeps its objects. */
export interface S3Place {
  /** In front of every key: empty, or a folder with a slash at its end. */
  readonly base: string;
  /** The name in the bucket: prefix and key. Throws `USAGE` for what is no key. */
  objectName(key: string): string;
  location(key: string): string;
}

export function s3Place(bucket: string, prefix = ''): S3Place {
  const folder = prefix.replace(/^\/+|\/+$/g, '');
  const base = folder === '' ? '' : `${folder}/`;
  const objectName = (key: string): string => base + checkKey(key);
  return { base, objectName, location: (key) => `s3://${bucket}/${objectName(key)}` };
}
