import { hash } from 'node:crypto';
import { copyFields } from '../codec/copy-rows.ts';

/** Rows that can be read again and again, in the same order each time. */
export interface RowSource {
  /** `only`: no other members need to be read. */
  read(take: (row: Buffer, member: number) => void, only?: ReadonlySet<number>): Promise<void>;
}

/** A row that one side has and the other has not. Nothing of what it holds is kept but hashes. */
export interface OddRow {
  /** Member of the backup that it ends in, and which of the rows that end there it is, from 1; only of rows of the backup. */
  readonly member?: number;
  readonly row?: number;
  /** Of each field. */
  readonly fields: readonly string[];
}

export interface RowDifference {
  /** Rows of the backup that the table has not; the first {@link KEPT} with their fields. */
  readonly missing: readonly OddRow[];
  readonly missingCount: number;
  /** Rows of the table that the backup has not. */
  readonly extra: readonly OddRow[];
  readonly extraCount: number;
  /** False when so much differs that only a sample was looked at: the numbers are lower bounds. */
  readonly whole: boolean;
}

const BUCKETS = 65_536;
/** Rows of the buckets that are looked at more closely: each is a small object in memory. */
const CLOSE_ROWS = 200_000;
const KEPT = 200;

/**
 * Finds the rows that differ in memory that depends neither on the number of rows nor on that of differences: the rows of both
 * sides are summed up by buckets of their hash, then only the rows of buckets that differ are compared one by one.
 */
export async function findDifference(backup: RowSource, table: RowSource): Promise<RowDifference> {
  const { chosen, whole } = chooseBuckets(await sumBuckets(backup, table));

  const unmatched = new Map<string, { count: number; member: number; row: number }>();
  const position = countRows();
  await backup.read((row, member) => {
    const at = position(member);
    const id = idOf(row);
    if (!chosen.has(bucketOf(id))) return;
    const key = id.toString('latin1');
    unmatched.set(key, { count: (unmatched.get(key)?.count ?? 0) + 1, member, row: at });
  });
  const extra: OddRow[] = [];
  let extraCount = 0;
  await table.read((row) => {
    const id = idOf(row);
    if (!chosen.has(bucketOf(id))) return;
    const key = id.toString('latin1');
    const known = unmatched.get(key);
    if (known && known.count > 1) known.count -= 1;
    else if (known) unmatched.delete(key);
    else {
      extraCount += 1;
      if (extra.length < KEPT) extra.push({ fields: fieldHashes(row) });
    }
  });
  const missingCount = [...unmatched.values()].reduce((sum, { count }) => sum + count, 0);
  const kept = new Map([...unmatched].slice(0, KEPT));
  return { missing: await withFields(backup, kept), missingCount, extra, extraCount, whole };
}

interface BucketSums {
  /** What the backup has more than the table: numbers of rows and sums of their hashes, modulo 2^32 each. */
  readonly sums: readonly Uint32Array[];
  /** Rows of both sides. */
  readonly rows: Uint32Array;
}

async function sumBuckets(backup: RowSource, table: RowSource): Promise<BucketSums> {
  const sums = Array.from({ length: 4 }, () => new Uint32Array(BUCKETS));
  const rows = new Uint32Array(BUCKETS);
  const add = (row: Buffer, sign: 1 | -1): void => {
    const id = idOf(row);
    const bucket = bucketOf(id);
    rows[bucket]! += 1;
    sums[0]![bucket]! += sign;
    for (let i = 1; i < 4; i += 1) sums[i]![bucket]! += sign * id.readUInt32LE(4 * i);
  };
  await backup.read((row) => add(row, 1));
  await table.read((row) => add(row, -1));
  return { sums, rows };
}

function chooseBuckets({ sums, rows }: BucketSums): { readonly chosen: ReadonlySet<number>; readonly whole: boolean } {
  const chosen = new Set<number>();
  let close = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    if (sums.every((sum) => sum[bucket] === 0)) continue;
    if (chosen.size > 0 && close + rows[bucket]! > CLOSE_ROWS) return { chosen, whole: false };
    close += rows[bucket]!;
    chosen.add(bucket);
  }
  return { chosen, whole: true };
}

/** Reads once more what the missing rows lie in. */
async function withFields(
  backup: RowSource,
  missing: ReadonlyMap<string, { readonly member: number; readonly row: number }>,
): Promise<OddRow[]> {
  if (missing.size === 0) return [];
  const found = new Map<string, OddRow>();
  await backup.read(
    (row) => {
      const key = idOf(row).toString('latin1');
      const place = missing.get(key);
      if (place) found.set(key, { member: place.member, row: place.row, fields: fieldHashes(row) });
    },
    new Set([...missing.values()].map(({ member }) => member)),
  );
  return [...found.values()].sort((a, b) => a.member! - b.member! || a.row! - b.row!);
}

/** Counts the rows that end in each member. */
function countRows(): (member: number) => number {
  let current = -1;
  let rows = 0;
  return (member) => {
    rows = member === current ? rows + 1 : 1;
    current = member;
    return rows;
  };
}

/** 128 bits: enough to take equal ones for equal rows. */
function idOf(row: Buffer): Buffer {
  return hash('sha256', row, 'buffer').subarray(0, 16);
}

function bucketOf(id: Buffer): number {
  return id.readUInt16LE(0);
}

function fieldHashes(row: Buffer): string[] {
  return copyFields(row).map((field) => hash('sha256', field, 'base64').slice(0, 16));
}
