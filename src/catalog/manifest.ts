import type { Level } from '../codec/level.ts';
import type { CodecName } from '../codec/codec.ts';
import type { MemberKind } from '../codec/member.ts';
import type { DatabaseProperties } from '../postgres/database-properties.ts';

export type { DatabaseProperties };

/** The newest version that is read here. Raised when a reader of an older version could misunderstand the file; fields may be added without. */
export const MANIFEST_VERSION = 2;

/** The version to write: 2 only if there are members of several blocks, so that older readers can read all else. */
export function manifestVersion(members: readonly MemberEntry[]): number {
  return members.some(({ blocks }) => blocks !== undefined) ? 2 : 1;
}

/** The `.meta` file beside a dump: what the dump is, how to check it, and what it needs. JSON, UTF-8. */
export interface Manifest {
  readonly formatVersion: number;
  readonly label: string;
  /** Configured name of the source. */
  readonly source: string;
  /** `incomplete`: something of the database is not in the dump; `omitted` names it. */
  readonly outcome: 'complete' | 'incomplete';
  readonly omitted: readonly Omission[];
  readonly warnings: readonly string[];
  readonly database: DatabaseProperties;
  readonly server: ServerProperties;
  readonly programs: { readonly dbBackup: string; readonly pgDump: string };
  readonly snapshot: { readonly time: string; readonly lsn: string };
  readonly timing: { readonly startedAt: string; readonly finishedAt: string; readonly dumpSeconds: number };
  readonly codec: { readonly name: CodecName; readonly level: Level };
  readonly file: FileProperties & {
    /** Bytes of the SQL script. */
    readonly rawBytes: number;
  };
  readonly side: { readonly toc?: FileProperties; readonly globals?: FileProperties };
  readonly requires: Requirements;
  readonly tables: readonly TableEntry[];
  readonly sequences: readonly SequenceEntry[];
  readonly largeObjects: { readonly count: number };
  readonly members: readonly MemberEntry[];
  readonly copies: readonly CopyEntry[];
  /** Set when the manifest was rebuilt from the file by `backup-manager reindex`. */
  readonly reindexedAt?: string;
}

export interface Omission {
  readonly kind: 'rows' | 'large-objects' | 'object';
  /** The object as a person writes it: `sales.orders`, `large objects`, or PostgreSQL's own words. */
  readonly object: string;
  readonly reason: string;
}

export interface FileProperties {
  /** File name without folder. */
  readonly name: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

export interface ServerProperties {
  /** As the server says it: `17.5 (Debian 17.5-1)`. */
  readonly version: string;
  /** `server_version_num`: 170005. */
  readonly versionNum: number;
  readonly systemIdentifier?: string;
  readonly standby: boolean;
}

export interface Requirements {
  readonly roles: readonly string[];
  readonly tablespaces: readonly string[];
  readonly extensions: readonly { readonly name: string; readonly version: string; readonly schema: string }[];
  /** Collations of the C library that single columns, indexes and functions use. Absent in older manifests. */
  readonly collations?: readonly {
    readonly schema: string;
    readonly name: string;
    readonly collate: string;
    readonly ctype: string;
  }[];
}

/** A table whose rows we copied. Rows that stay with `pg_dump` (extension configuration tables, …) are not listed. */
export interface TableEntry {
  readonly schema: string;
  readonly name: string;
  /** In the order of the rows' fields; generated columns left out. */
  readonly columns: readonly string[];
  /** The partitioned table that the rows are loaded through, when not into the table itself. */
  readonly loadInto?: { readonly schema: string; readonly name: string };
  /** The root of the partitioned table that it is a partition of, at whatever depth. */
  readonly partitionOf?: { readonly schema: string; readonly name: string };
  readonly rows: number;
  /** Bytes of COPY text. */
  readonly bytes: number;
  /** 32 hex digits: the sum, modulo 2^128, of MurmurHash3_x64_128 (seed 0) of each row's COPY text without its line end. */
  readonly digest: string;
}

export interface SequenceEntry {
  readonly schema: string;
  readonly name: string;
  /** As text: a bigint does not fit a JSON number. */
  readonly lastValue: string;
  readonly isCalled: boolean;
}

/** One member of the dump file. A run (`continues` up to the first without) is one whole COPY block, or several of small tables. */
export interface MemberEntry {
  readonly kind: MemberKind;
  /** Index into `tables`, for chunks of one block. */
  readonly table?: number;
  readonly offset: number;
  readonly length: number;
  readonly rawLength: number;
  /** Rows that end in this member. */
  readonly rows: number;
  /** Of the member's bytes in the file, hex. */
  readonly sha256: string;
  /** The next member goes on with the same COPY block (or script): neither is whole without the other. */
  readonly continues?: true;
  /** Of a chunk that is made of several COPY blocks, one behind the other: each of them, in this order, instead of `table`. */
  readonly blocks?: readonly BlockEntry[];
}

/** One whole COPY block within a member. */
export interface BlockEntry {
  /** Index into `tables`. */
  readonly table: number;
  /** Bytes of SQL, from its `COPY` to behind its end. */
  readonly rawLength: number;
  readonly rows: number;
}

export interface CopyEntry {
  readonly target: string;
  readonly location: string;
  readonly sha256: string;
  readonly storedAt: string;
  readonly checkedBy: string;
}
