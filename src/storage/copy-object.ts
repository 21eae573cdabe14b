import { BackupError } from '../errors.ts';
import { watchForStall, watched } from './stall.ts';
import type { Content, PutResult, Storage } from './storage.ts';

export interface ExpectedBytes {
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
}

/** Without progress for this long a target or a source has failed: 10 minutes, enough for one large part on a slow line. */
export const STALL_TIMEOUT_MS = 10 * 60 * 1000;

/** Copies an object from one target to another, streaming, and checks that what arrived is what was expected. */
export async function copyObject(
  key: string,
  from: Storage,
  to: Storage,
  expected: ExpectedBytes,
  options: { readonly signal?: AbortSignal | undefined; readonly stallTimeoutMs?: number | undefined } = {},
): Promise<PutResult> {
  const stall = watchForStall(to.location(key), options.stallTimeoutMs ?? STALL_TIMEOUT_MS);
  const signal = options.signal ? AbortSignal.any([options.signal, stall.signal]) : stall.signal;
  const content: Content = {
    open: (offset = 0) => from.get(key, { offset, length: expected.size - offset }, signal),
    replayable: true,
    size: expected.size,
  };
  try {
    return await putExpected(key, watched(content, stall), to, () => expected, signal);
  } finally {
    stall.stop();
  }
}

/** Stores `content` and checks that it was what the caller expected (asked afterwards); a copy that is not is removed again. */
export async function putExpected(
  key: string,
  content: Content,
  to: Storage,
  expected: () => ExpectedBytes,
  signal?: AbortSignal,
): Promise<PutResult> {
  const result = await to.put(key, content, signal);
  const { size, sha256 } = expected();
  if (result.size === size && result.sha256 === sha256) return result;
  await to.remove(key);
  throw new BackupError(
    'STORAGE_CORRUPT',
    `${to.location(key)} received ${result.size} bytes that are not the ${size} that were sent`,
    {
      hint: 'The damaged copy was removed. If this happens again, check the memory and the disks of this machine.',
      retryable: true,
    },
  );
}
