/**
 * The storage port: where backups are kept. Implementations: disk, S3, memory; decorators: retrying, faulty.
 * Keys are relative POSIX paths (`full/backup_shop_20260101_020000.sql.gz`), never absolute, never with `..`.
 * One contract suite (`test/contract/storage.contract.ts`) runs on every implementation.
 */

export interface ByteRange {
  /** First byte, counted from 0. */
  readonly offset: number;
  /** Number of bytes; the whole rest when left out. */
  readonly length?: number;
}

export interface ObjectInfo {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly modified: Date;
}

/** Bytes to be stored. */
export interface Content {
  /**
   * Starts reading at byte `from`. The iteration ends only after the last byte of *complete* content; content that
   * turns out incomplete must throw. Chunks may be of any size and must not be kept after the next one is asked for.
   */
  open(from?: number): AsyncIterable<Uint8Array>;
  /** Whether `open` may be called again after an earlier iteration was given up. A retry needs it. */
  readonly replayable: boolean;
  /** Exact size in bytes, when known. */
  readonly size?: number;
  /** An estimate in bytes, for content that is still growing. */
  readonly expectedSize?: number;
}

export interface PutResult {
  /** Bytes stored. */
  readonly size: number;
  /** SHA-256 (hex) of what was sent. */
  readonly sha256: string;
  /** How the target's copy was checked against what was sent: the server's own checksum, or by reading it back. */
  readonly checkedBy: 'fsync' | 'server-checksum' | 'read-back' | 'none';
}

export interface Leftover {
  readonly key: string;
  readonly kind: 'temporary-file' | 'incomplete-upload';
  readonly started: Date;
}

/** What keeps an object, or what was removed of it, whatever we do. */
export interface Protection {
  /** Nobody should remove it before. */
  readonly lockedUntil?: Date;
  /** Nobody should remove it before somebody lifts this. */
  readonly legalHold: boolean;
  /** The target keeps what is removed as an old version, for as long as its own rules say. */
  readonly versioned: boolean;
}

export interface Storage {
  /** The target's name in configuration, reports and messages: `local`, `s3`. */
  readonly name: string;

  /** The address a person would use: `/backups/full/x.sql.gz`, `s3://bucket/prefix/full/x.sql.gz`. Never secret. */
  location(key: string): string;

  /**
   * Stores `content` under `key`, replacing what was there. All or nothing: until the promise resolves no reader sees
   * any of it, and when it rejects (content that throws, a failed write, an aborted `signal`) nothing is visible and
   * what was begun has been removed, or is found by {@link sweep}. When it resolves, the bytes are durable and checked.
   */
  put(key: string, content: Content, signal?: AbortSignal): Promise<PutResult>;

  /**
   * Reads an object or a range of it. Throws `STORAGE_MISSING` when there is none (on the first chunk asked for);
   * a connection that ends early throws, it never ends the iteration. A range that reaches beyond the end of the object
   * throws `STORAGE_CORRUPT`: whoever asks for bytes knows that they should be there. Each chunk becomes the reader's own: nobody else
   * looks at its memory any more, which the reader may free.
   */
  get(key: string, range?: ByteRange, signal?: AbortSignal): AsyncIterable<Uint8Array>;

  /** `undefined` only if the target said that there is no such object; "cannot tell" throws. */
  head(key: string, signal?: AbortSignal): Promise<ObjectInfo | undefined>;

  /** Every object whose key starts with `prefix`, in key order, temporary names left out. Throws rather than list only a part. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<ObjectInfo>;

  /** Removes an object. Idempotent: no error when there is none. */
  remove(key: string, signal?: AbortSignal): Promise<void>;

  /** What killed or failed `put`s under `prefix` left behind, if begun before `before`. Throws rather than tell only a part. */
  leftovers(prefix: string, before: Date, signal?: AbortSignal): Promise<Leftover[]>;

  /** Removes them. Returns what it removed. */
  sweep(prefix: string, before: Date, signal?: AbortSignal): Promise<Leftover[]>;

  /**
   * What protects an object; `undefined` when there is no such object. Only targets that know of protection have this. One that does
   * not let these credentials see the protection answers as if there were none.
   */
  protection?(key: string, signal?: AbortSignal): Promise<Protection | undefined>;

  /** Bytes that may still be stored. Only targets that can be full have this. */
  free?(signal?: AbortSignal): Promise<number>;

  /** Proves the target usable before a long run: exists, writable, readable. Throws the error a person can act on. */
  probe(signal?: AbortSignal): Promise<void>;
}
