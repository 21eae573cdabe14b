import { BackupError, toBackupError } from '../errors.ts';
import { putExpected, STALL_TIMEOUT_MS } from './copy-object.ts';
import type { DiskStorage } from './disk.ts';
import { GrowingContent } from './growing-content.ts';
import { throwIfNowhere, type PutOutcome } from './put-outcome.ts';
import { repairCopies } from './repair-copies.ts';
import { DEFAULT_RETRIES, type RetryPolicy } from './retrying.ts';
import { watchForStall } from './stall.ts';
import type { Storage } from './storage.ts';
import type { TemporaryFile } from './temporary-file.ts';

export interface ReplicatedWriteOptions {
  readonly key: string;
  /** Bytes, as good a guess as there is: it decides the size of S3 parts. */
  readonly expectedSize?: number;
  /** The targets that follow; the spool may be among them and is then left out. */
  readonly targets: readonly Storage[];
  /** The local target: the writer waits for this one only. */
  readonly spool?: DiskStorage;
  readonly signal?: AbortSignal;
  /** A follower that has bytes to take and takes none for this long has failed; 10 minutes by default. */
  readonly stallTimeoutMs?: number;
  /** How much memory may hold what no local file does; 64 MiB by default. */
  readonly windowBytes?: number;
  /** For the copies made afterwards for followers that failed. */
  readonly repair?: RetryPolicy;
  /** Told at once when a target fails, before any repair. */
  readonly onFailure?: (target: string, error: BackupError) => void;
}

/** One stream of bytes on its way to several targets. */
export interface ReplicatedWrite {
  /** Bytes appended. */
  readonly size: number;
  /** SHA-256 (hex) of all bytes; only after `commit` was called. */
  readonly sha256: string;
  /**
   * Appends `bytes` and takes their buffer over: the caller must not use it afterwards. Resolves once they are in the local file or, without one,
   * once memory has room again. Throws when aborted, or when no target is left that could end up with a good copy.
   */
  append(bytes: Uint8Array): Promise<void>;
  /**
   * The data is complete: only now can any target's copy become visible. Resolves when the local copy is durable or,
   * without one, when all targets have settled; with the outcomes known by then.
   */
  commit(): Promise<PutOutcome[]>;
  /** After `commit`: the outcome of every target, the spool first, repairs included. Throws if no target has a copy. */
  settled(): Promise<PutOutcome[]>;
  /**
   * Gives up, and resolves once everything that was begun has ended. Before `commit` nothing is visible anywhere
   * afterwards; after it, copies that are already whole stay and the others are no longer waited for.
   */
  abort(reason?: unknown): Promise<void>;
}

const WINDOW_BYTES = 64 * 1024 * 1024;

/** Starts sending what will be appended to every target at once. Ends in `settled` or `abort`; one of them must be awaited. */
export function startReplicatedWrite(options: ReplicatedWriteOptions): ReplicatedWrite {
  const { key, spool, signal, onFailure } = options;
  const content = new GrowingContent({ windowBytes: options.windowBytes ?? WINDOW_BYTES, expectedSize: options.expectedSize });
  const followers = options.targets.filter((target) => target !== spool);
  const cancel = new AbortController();
  const failed = new Map<string, BackupError>();
  const expected = () => ({ size: content.size, sha256: content.sha256 ?? '' });
  let file: TemporaryFile | undefined;
  for (const target of followers) target.location(key); // Throws here and now for what is no key.
  let last: Promise<void> = openSpool();
  last.catch(() => undefined);
  let finished: Promise<PutOutcome[]> | undefined;
  let localDone: Promise<PutOutcome[]> | undefined;

  const onSignal = () => {
    give(signal?.reason);
  };
  if (signal?.aborted === true) onSignal();
  else signal?.addEventListener('abort', onSignal, { once: true });
  const puts = followers.map(follow);

  return {
    get size() {
      return content.size;
    },
    get sha256() {
      return expected().sha256;
    },
    append(bytes) {
      // One after another, whoever calls; after a failure every further call fails the same way.
      last = last.then(async () => {
        await content.append(bytes, (error) => {
          fail(spool!.name, error);
        });
        throwIfHopeless();
      });
      last.catch(() => undefined);
      return last;
    },
    commit() {
      localDone ??= last.then(async () => {
        throwIfHopeless();
        cancel.signal.throwIfAborted();
        content.end();
        const local = await publish();
        finished = finish(local);
        finished.catch(() => undefined);
        return local?.ok === true ? [local] : finished;
      });
      return localDone;
    },
    async settled() {
      await localDone;
      if (!finished) throw new BackupError('INTERNAL', 'settled() was called before commit()');
      return finished;
    },
    async abort(reason) {
      give(reason);
      await last.catch(() => undefined);
      await localDone?.catch(() => undefined);
      if (finished) {
        await finished.catch(() => undefined);
        return;
      }
      await Promise.all(puts);
      await closeSpool();
    },
  };

  async function openSpool(): Promise<void> {
    if (!spool) return;
    try {
      file = await spool.begin(key);
      content.useFile(file);
    } catch (error) {
      fail(spool.name, error);
    }
    throwIfHopeless();
  }

  async function follow(target: Storage): Promise<PutOutcome> {
    const stall = watchForStall(target.location(key), options.stallTimeoutMs ?? STALL_TIMEOUT_MS);
    const reading = content.follow(stall);
    // A follower that stalls must not hold the writer up for as long as it takes to give up.
    stall.signal.addEventListener('abort', () => reading.leave(), { once: true });
    try {
      const ends = AbortSignal.any([cancel.signal, stall.signal]);
      const result = await putExpected(key, reading.content, target, expected, ends);
      return { target: target.name, ok: true, result };
    } catch (error) {
      const reason: unknown = stall.signal.aborted ? stall.signal.reason : error;
      return { target: target.name, ok: false, error: fail(target.name, reason) };
    } finally {
      stall.stop();
      reading.leave();
    }
  }

  function fail(target: string, error: unknown): BackupError {
    const known = toBackupError(error);
    failed.set(target, known);
    if (!cancel.signal.aborted) onFailure?.(target, known);
    return known;
  }

  /** With the local file lost and every follower failed, more bytes are of no use. */
  function throwIfHopeless(): void {
    if (cancel.signal.aborted || content.isOnFile || followers.some(({ name }) => !failed.has(name))) return;
    const all = spool ? [spool, ...followers] : followers;
    throwIfNowhere(
      key,
      all.map(({ name }) => ({ target: name, ok: false, ...(failed.has(name) && { error: failed.get(name)! }) })),
    );
  }

  async function publish(): Promise<PutOutcome | undefined> {
    if (!spool) return undefined;
    try {
      const known = failed.get(spool.name);
      if (known) throw known;
      await file!.publish();
      return { target: spool.name, ok: true, result: { ...expected(), checkedBy: 'fsync' } };
    } catch (error) {
      return { target: spool.name, ok: false, error: failed.get(spool.name) ?? fail(spool.name, error) };
    }
  }

  async function finish(local: PutOutcome | undefined): Promise<PutOutcome[]> {
    try {
      const outcomes = [...(local ? [local] : []), ...(await Promise.all(puts))];
      await closeSpool();
      const targets = spool ? [spool, ...followers] : followers;
      const repaired = await repairCopies(key, outcomes, targets, expected(), {
        retries: options.repair ?? DEFAULT_RETRIES,
        signal: cancel.signal,
        stallTimeoutMs: options.stallTimeoutMs,
      });
      if (!repaired.some(({ ok }) => ok)) cancel.signal.throwIfAborted();
      throwIfNowhere(key, repaired);
      return repaired;
    } finally {
      signal?.removeEventListener('abort', onSignal);
    }
  }

  /** Removes what the local target holds under a temporary name. Followers have ended by now. */
  async function closeSpool(): Promise<void> {
    signal?.removeEventListener('abort', onSignal);
    const closing = file;
    file = undefined;
    try {
      await closing?.discard();
    } finally {
      await closing?.close();
    }
  }

  function give(reason: unknown): void {
    const known = toBackupError(reason ?? new BackupError('ABORTED', 'the run was aborted'));
    if (!content.sha256) content.fail(known);
    cancel.abort(known);
  }
}
