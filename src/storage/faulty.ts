import { BackupError } from '../errors.ts';
import type { Content, Storage } from './storage.ts';

export interface Fault {
  readonly operation: 'put' | 'get' | 'head' | 'list' | 'remove' | 'leftovers' | 'sweep' | 'probe';
  /**
   * `fail`: throws. `stall`: neither answers nor goes on until the signal aborts. `truncate`: silently stores or gives only
   * the first bytes, as a target that lies. `flip`: one bit of the byte at `afterBytes` is the other way round.
   */
  readonly kind: 'fail' | 'stall' | 'truncate' | 'flip';
  /** Which call of the operation is hit, counted from 1; every call when left out. */
  readonly call?: number;
  /** For `put` and `get`: how many bytes go well before; for the others it has no meaning. 0 when left out. */
  readonly afterBytes?: number;
  /** Only calls on keys (or prefixes) that match. */
  readonly key?: RegExp;
  /** What `fail` throws; by default a retryable `STORAGE_UNAVAILABLE`. */
  readonly error?: Error;
}

/** `inner` with faults injected, for tests of whoever uses a storage. */
export function createFaultyStorage(inner: Storage, faults: readonly Fault[]): Storage {
  const calls = new Map<Fault, number>();

  const faultOf = (operation: Fault['operation'], key: string): Fault | undefined => {
    let hit: Fault | undefined;
    for (const fault of faults) {
      if (fault.operation !== operation || (fault.key && !fault.key.test(key))) continue;
      const call = (calls.get(fault) ?? 0) + 1;
      calls.set(fault, call);
      if (fault.call === undefined || fault.call === call) hit ??= fault;
    }
    return hit;
  };
  const strike = async (operation: Fault['operation'], key: string, signal?: AbortSignal) => {
    const fault = faultOf(operation, key);
    if (fault) await happen(fault, signal);
  };

  return {
    name: inner.name,
    location: (key) => inner.location(key),
    async put(key, content, signal) {
      const fault = faultOf('put', key);
      return inner.put(key, fault ? faultyContent(content, fault, signal) : content, signal);
    },
    async *get(key, range, signal) {
      const fault = faultOf('get', key);
      const bytes = inner.get(key, range, signal);
      yield* fault ? hitBytes(bytes, fault, signal) : bytes;
    },
    async head(key, signal) {
      await strike('head', key, signal);
      return inner.head(key, signal);
    },
    async *list(prefix, signal) {
      await strike('list', prefix, signal);
      yield* inner.list(prefix, signal);
    },
    async remove(key, signal) {
      await strike('remove', key, signal);
      return inner.remove(key, signal);
    },
    async leftovers(prefix, before, signal) {
      await strike('leftovers', prefix, signal);
      return inner.leftovers(prefix, before, signal);
    },
    async sweep(prefix, before, signal) {
      await strike('sweep', prefix, signal);
      return inner.sweep(prefix, before, signal);
    },
    async probe(signal) {
      await strike('probe', '', signal);
      return inner.probe(signal);
    },
  };
}

function faultyContent(content: Content, fault: Fault, signal: AbortSignal | undefined): Content {
  return {
    ...content,
    get replayable() {
      return content.replayable;
    },
    open: (from) => hitBytes(content.open(from), fault, signal),
  };
}

async function* hitBytes(bytes: AsyncIterable<Uint8Array>, fault: Fault, signal: AbortSignal | undefined) {
  let left = fault.afterBytes ?? 0;
  let struck = false;
  for await (const chunk of bytes) {
    if (struck || chunk.length < left) {
      left -= chunk.length;
      yield chunk;
      continue;
    }
    struck = true;
    if (fault.kind === 'flip') {
      yield flipped(chunk, Math.min(left, chunk.length - 1));
      continue;
    }
    if (left > 0) yield chunk.subarray(0, left);
    if (fault.kind === 'truncate') return;
    await happen(fault, signal);
  }
}

function flipped(chunk: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(chunk);
  copy[at]! ^= 1;
  return copy;
}

/** `fail` throws and `stall` waits for the abort; the others concern bytes only. */
async function happen(fault: Fault, signal: AbortSignal | undefined): Promise<void> {
  if (fault.kind === 'fail') {
    throw (
      fault.error ?? new BackupError('STORAGE_UNAVAILABLE', 'an injected failure', { retryable: true, hint: 'This is a test.' })
    );
  }
  if (fault.kind === 'stall') {
    await new Promise<never>((_resolve, reject) => {
      signal?.throwIfAborted();
      signal?.addEventListener(
        'abort',
        () => {
          reject(signal.reason as Error);
        },
        { once: true },
      );
    });
  }
}
