import type { BlockEntry } from '../catalog/manifest.ts';

/** What a copy worker is given: rows of one table, all or a range of its pages. */
export interface CopyUnit {
  /** Index into the dump's list of tables. */
  readonly table: number;
  /** For messages: `sales.orders`. */
  readonly label: string;
  /** Table name as SQL, for `LOCK TABLE`. */
  readonly lockName: string;
  /** `COPY … TO STDOUT …`. */
  readonly sql: string;
  /** First line of the block, in the database's encoding: `COPY sales.orders (id, …) FROM stdin;⏎`. */
  readonly header: Uint8Array;
  /** An estimate of its size in bytes, to balance the workers. */
  readonly weight: number;
  /** Shares its members with no other table. */
  readonly alone: boolean;
}

/** Everything of a finished unit but its bytes, which have gone ahead as members. */
export interface CopyResult {
  readonly table: number;
  readonly rows: number;
  /** Bytes of COPY text. */
  readonly bytes: number;
  readonly digest: string;
}

/** A compressed member on its way from a worker to the file. */
export interface CopiedMember {
  readonly blocks: readonly BlockEntry[];
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly rawLength: number;
  readonly rows: number;
  readonly continues: boolean;
  readonly sha256: string;
}
