import { BackupError, type ErrorCode } from '../errors.ts';

interface Kind {
  readonly code: ErrorCode;
  readonly words?: string;
  readonly hint: string;
  readonly retryable?: boolean;
}

const UNREACHABLE: Kind = {
  code: 'STORAGE_UNAVAILABLE',
  words: 'the S3 endpoint cannot be reached',
  hint: 'Check BACKUP_S3_ENDPOINT, AWS_REGION, DNS and the network between here and there.',
  retryable: true,
};
const BROKEN_OFF: Kind = {
  ...UNREACHABLE,
  words: 'the connection to the S3 endpoint broke off',
  hint: 'Check the network and the server.',
};
const BUSY: Kind = {
  code: 'STORAGE_UNAVAILABLE',
  words: 'the S3 server is overloaded or failing',
  hint: 'Nothing is wrong here. If it lasts, see the status of the S3 service.',
  retryable: true,
};
const WRONG_KEYS: Kind = {
  code: 'STORAGE_DENIED',
  words: 'the S3 server does not accept the access key or its secret',
  hint: 'Check the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, or the role that this machine runs as).',
};
const DENIED: Kind = {
  code: 'STORAGE_DENIED',
  words: 'permission was denied',
  hint:
    'Allow s3:PutObject, s3:GetObject, s3:DeleteObject, s3:ListBucket, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads ' +
    'on the bucket and its objects for these credentials.',
};
const EXPIRED: Kind = {
  code: 'STORAGE_DENIED',
  words: 'the S3 credentials have expired',
  hint: 'Renew the session token, or use a role that renews itself.',
};
const NO_CREDENTIALS: Kind = {
  code: 'STORAGE_DENIED',
  words: 'no S3 credentials were found',
  hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run with a role or a profile.',
};
const WRONG_REGION: Kind = {
  code: 'STORAGE_FAILED',
  words: 'the bucket is in another region',
  hint: 'Set AWS_REGION to the region of the bucket.',
};
const DAMAGED: Kind = {
  code: 'STORAGE_CORRUPT',
  words: 'the bytes were damaged on their way',
  hint: 'If this happens again, check the memory and the network of this machine.',
  retryable: true,
};

const BY_NAME: Record<string, Kind> = {
  NoSuchBucket: {
    code: 'STORAGE_MISSING',
    words: 'the bucket does not exist',
    hint: 'Create the bucket, or check BACKUP_S3_BUCKET, BACKUP_S3_ENDPOINT and AWS_REGION.',
  },
  NoSuchKey: {
    code: 'STORAGE_MISSING',
    words: 'it does not exist',
    hint: 'Look at what is there with `backup-manager list-backups`.',
  },
  InvalidAccessKeyId: WRONG_KEYS,
  SignatureDoesNotMatch: WRONG_KEYS,
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  InvalidToken: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  RequestTimeTooSkewed: {
    code: 'STORAGE_DENIED',
    words: 'the clock of this machine differs too much from the S3 server’s',
    hint: 'Set the clock of this machine (NTP).',
  },
  CredentialsProviderError: NO_CREDENTIALS,
  AccessDenied: DENIED,
  AllAccessDisabled: DENIED,
  PermanentRedirect: WRONG_REGION,
  AuthorizationHeaderMalformed: WRONG_REGION,
  QuotaExceeded: { code: 'STORAGE_FULL', words: 'the quota is used up', hint: 'Raise the quota, or keep fewer backups.' },
  BadDigest: DAMAGED,
  XAmzContentSHA256Mismatch: DAMAGED,
  XAmzContentChecksumMismatch: DAMAGED,
  SlowDown: BUSY,
  RequestTimeout: BROKEN_OFF,
  TimeoutError: { ...UNREACHABLE, words: 'the S3 endpoint does not answer' },
  ECONNREFUSED: UNREACHABLE,
  ENOTFOUND: UNREACHABLE,
  EAI_AGAIN: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  ETIMEDOUT: UNREACHABLE,
  ECONNRESET: BROKEN_OFF,
  ECONNABORTED: BROKEN_OFF,
  EPIPE: BROKEN_OFF,
  ERR_STREAM_PREMATURE_CLOSE: BROKEN_OFF,
};

interface Thrown {
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** HTTP status of an answer that the SDK threw, if it was one. */
export function statusOf(error: unknown): number | undefined {
  return (error as Thrown | undefined)?.$metadata?.httpStatusCode;
}

export function hasName(error: unknown, ...names: string[]): boolean {
  const { name, code } = (error ?? {}) as Thrown;
  return names.includes(name ?? '') || names.includes(code ?? '');
}

/** What the SDK threw, as a person should read it. `action` reads as in "cannot <action> s3://bucket/key". */
export function s3Error(error: unknown, action: string, location: string): BackupError {
  if (error instanceof BackupError) return error;
  const thrown = (error ?? {}) as Thrown;
  const status = statusOf(error);
  // The code first: the SDK gives a connection that broke off the name TimeoutError.
  const kind = BY_NAME[thrown.code ?? ''] ?? BY_NAME[thrown.name ?? ''] ?? byStatus(status) ?? byMessage(thrown.message);
  const answer =
    status !== undefined
      ? ` (HTTP ${status}${thrown.name === undefined ? '' : ` ${thrown.name}`})`
      : // Which address was refused, or which name is not known.
        kind !== undefined && thrown.code !== undefined && thrown.message !== undefined && thrown.message !== ''
        ? ` (${thrown.message})`
        : '';
  const words = kind?.words ?? thrown.message ?? String(error);
  return new BackupError(kind?.code ?? 'STORAGE_FAILED', `cannot ${action} ${location}: ${words}${answer}`, {
    cause: error,
    hint: kind?.hint ?? 'See the answer of the S3 server above, and its documentation.',
    retryable: kind?.retryable ?? false,
  });
}

function byStatus(status: number | undefined): Kind | undefined {
  if (status === undefined) return undefined;
  if (status >= 500 || status === 429) return BUSY;
  if (status === 403) return DENIED;
  if (status === 401) return WRONG_KEYS;
  if (status === 301 || status === 307) return WRONG_REGION;
  return undefined;
}

/** The SDK and Node have no name of their own for these. */
function byMessage(message = ''): Kind | undefined {
  if (/^(aborted|socket hang up|terminated|Premature close)/i.test(message)) return BROKEN_OFF;
  if (message.includes('Region is missing')) return { ...WRONG_REGION, words: 'the region of the bucket is not known' };
  if (/^Checksum mismatch/i.test(message)) return DAMAGED;
  return undefined;
}
