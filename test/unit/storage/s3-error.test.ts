import { expect, test } from '@jest/globals';
import { BackupError } from '../../../src/errors.ts';
import { s3Error } from '../../../src/storage/s3-error.ts';

const answer = (name: string, httpStatusCode: number) =>
  Object.assign(new Error('UnknownError'), { name, $metadata: { httpStatusCode } });

test.each([
  [answer('NoSuchBucket', 404), 'STORAGE_MISSING', false],
  [answer('AccessDenied', 403), 'STORAGE_DENIED', false],
  [answer('Unheard', 403), 'STORAGE_DENIED', false],
  [answer('SignatureDoesNotMatch', 403), 'STORAGE_DENIED', false],
  [answer('ExpiredToken', 400), 'STORAGE_DENIED', false],
  [answer('PermanentRedirect', 301), 'STORAGE_FAILED', false],
  [answer('QuotaExceeded', 403), 'STORAGE_FULL', false],
  [answer('BadDigest', 400), 'STORAGE_CORRUPT', true],
  [answer('SlowDown', 503), 'STORAGE_UNAVAILABLE', true],
  [answer('InternalError', 500), 'STORAGE_UNAVAILABLE', true],
  [answer('TooManyRequests', 429), 'STORAGE_UNAVAILABLE', true],
  [answer('EntityTooLarge', 400), 'STORAGE_FAILED', false],
  [Object.assign(new Error('x'), { name: 'CredentialsProviderError' }), 'STORAGE_DENIED', false],
  [Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 'STORAGE_UNAVAILABLE', true],
  [Object.assign(new Error('x'), { code: 'ENOTFOUND' }), 'STORAGE_UNAVAILABLE', true],
  [new Error('socket hang up'), 'STORAGE_UNAVAILABLE', true],
  [new Error('Region is missing'), 'STORAGE_FAILED', false],
  ['a string', 'STORAGE_FAILED', false],
])('%s is %s, retryable: %s', (thrown, code, retryable) => {
  const error = s3Error(thrown, 'write', 's3://bucket/key');
  expect(error).toMatchObject({ code, retryable, cause: thrown });
  expect(error.message).toMatch(/^cannot write s3:\/\/bucket\/key: /);
  expect(error.hint).toBeTruthy();
});

test('an error that is already classified stays as it is', () => {
  const known = new BackupError('SOURCE_FAILED', 'the source broke');
  expect(s3Error(known, 'write', 's3://bucket/key')).toBe(known);
});
