/** What a database holds in one table, to be compared with the manifest's entry of the same name. */
export interface TableDigest {
  readonly schema: string;
  readonly name: string;
  /** Absent when there is no such table, it lacks a column, or it cannot be read: `problem` says which. */
  readonly found?: {
    readonly rows: number;
    /** Bytes of COPY text. */
    readonly bytes: number;
    /** As in a manifest. */
    readonly digest: string;
  };
  readonly problem?: string;
}
