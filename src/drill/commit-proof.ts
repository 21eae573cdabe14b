import { mkdtemp, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { parseLsn } from '../catalog/lsn.ts';
import { parseWalFile, segmentOf } from '../catalog/wal-names.ts';
import { BackupError } from '../errors.ts';
import { runProgram } from '../postgres/run-program.ts';
import { withSession, type Client } from './session.ts';
import { readTransactionEnds, type TransactionEnd } from './transaction-ends.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';

export interface CommitProofInput {
  /** Path of `pg_waldump`. */
  readonly program: string;
  /** Holds the segments, whole and as PostgreSQL names them. */
  readonly walFolder: string;
  /** In order, the first with the place where the physical backup began. */
  readonly segments: readonly string[];
  readonly startLsn: string;
  readonly segmentBytes: number;
  /** Microseconds since 1970; absent: to the end of the WAL. */
  readonly until?: bigint;
  /** The server that was recovered, before anything was written to it. */
  readonly connection: ConnectionOptions;
  /** For a folder of its own. */
  readonly workFolder: string;
  readonly signal: AbortSignal;
}

/** What the WAL says had to be there or not, against what is there. */
export interface CommitProof {
  /** Transactions that had committed before the target: all of them are there unless they are among `missing`. */
  readonly present: number;
  /** Transactions that had been rolled back before it. */
  readonly rolledBack: number;
  /** Transactions that committed after it, in the WAL that was read: none of them is there unless it is among `extra`. */
  readonly absent: number;
  /** A few of those that are wrong. */
  readonly missing: readonly string[];
  readonly extra: readonly string[];
  /** So old that the server does not know any more. */
  readonly forgotten: number;
  /** The last before the target and the first after it. */
  readonly last?: TransactionEnd;
  readonly next?: TransactionEnd;
}

const BATCH = 5000;
const LISTED = 10;

/**
 * Proves a recovery without a table: `pg_waldump` reads every commit record of the WAL, and the recovered server is asked for the fate of each
 * transaction. All before the first end of a transaction that is later than the target must have committed, and none from there on.
 * docs/pitr.md says why that is a proof.
 */
export async function proveCommits(input: CommitProofInput): Promise<CommitProof> {
  return await withSession(input.connection, input.signal, async (client) => {
    const { rows } = await client.query<{ next: string }>('SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS next');
    const tally = new Tally(client, BigInt(rows[0]!.next), input.until);
    await readEnds(input, (ends) => tally.add(ends));
    return await tally.end();
  });
}

async function readEnds(input: CommitProofInput, take: (ends: TransactionEnd[]) => Promise<void>): Promise<void> {
  const { program, walFolder, segments, startLsn, workFolder, signal } = input;
  const [first, last] = [segments[0], segments.at(-1)];
  if (first === undefined || last === undefined) return;
  // pg_waldump reads one timeline: every segment under the name of the last.
  const folder = await mkdtemp(join(workFolder, 'one-timeline-'));
  const named = (segment: string): string => last.slice(0, 8) + segment.slice(8);
  for (const segment of segments) await symlink(join(walFolder, segment), join(folder, named(segment)));
  const reader = readTransactionEnds(take);
  const args = ['-r', 'Transaction', '-p', folder, '-s', startLsn, '-t', String(Number.parseInt(last.slice(0, 8), 16))];
  try {
    await runProgram(program, [...args, named(first), named(last)], { env: { TZ: 'UTC' }, stdout: reader.write, signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!isEndOfWal(error, last, input.segmentBytes)) throw error;
  }
  await reader.end();
}

/** The last segment need not be full: where its records end `pg_waldump` finds one that is none. Anywhere else that is damage. */
function isEndOfWal(error: unknown, last: string, segmentBytes: number): boolean {
  if (!(error instanceof BackupError)) return false;
  const [, place] = /error in WAL record at ([0-9A-F]+\/[0-9A-F]+)/.exec(error.message) ?? [];
  const end = parseWalFile(last, segmentBytes);
  // A record of the segment before may reach into it.
  return place !== undefined && end?.kind === 'segment' && segmentOf(parseLsn(place), segmentBytes) >= end.number - 1n;
}

class Tally {
  readonly #client: Client;
  readonly #next: bigint;
  readonly #until: bigint | undefined;
  #present = 0;
  #rolledBack = 0;
  #absent = 0;
  #forgotten = 0;
  readonly #missing: string[] = [];
  readonly #extra: string[] = [];
  #waiting: TransactionEnd[] = [];
  #last: TransactionEnd | undefined;
  #first: TransactionEnd | undefined;

  /** `next`: the first transaction number that the server has not given out. */
  constructor(client: Client, next: bigint, until: bigint | undefined) {
    this.#client = client;
    this.#next = next;
    this.#until = until;
  }

  async add(ends: readonly TransactionEnd[]): Promise<void> {
    for (const end of ends) {
      this.#waiting.push(end);
      if (this.#waiting.length >= BATCH) await this.#ask();
    }
  }

  async end(): Promise<CommitProof> {
    await this.#ask();
    return {
      ...{ present: this.#present, rolledBack: this.#rolledBack, absent: this.#absent, forgotten: this.#forgotten },
      ...{ missing: this.#missing, extra: this.#extra },
      ...(this.#last && { last: this.#last }),
      ...(this.#first && { next: this.#first }),
    };
  }

  async #ask(): Promise<void> {
    const ends = this.#waiting.map((end) => ({ end, xid: this.#full(end.xid) }));
    this.#waiting = [];
    const known = ends.filter(({ xid }) => xid < this.#next);
    const { rows } = await this.#client.query<{ state: string | null }>(
      'SELECT pg_xact_status(xid) AS state FROM unnest($1::xid8[]) WITH ORDINALITY AS asked(xid, at) ORDER BY at',
      [known.map(({ xid }) => String(xid))],
    );
    const states = new Map(known.map(({ end }, at) => [end, rows[at]!.state]));
    // A number that was never given out has committed nothing.
    for (const { end } of ends) this.#judge(end, states.has(end) ? states.get(end)! : 'not there');
  }

  #judge(end: TransactionEnd, state: string | null): void {
    // From the first that is later, as the server itself stops: what comes behind is out, whatever its time.
    if (this.#first === undefined && this.#until !== undefined && end.time > this.#until) this.#first = end;
    const before = this.#first === undefined;
    if (before) this.#last = end;
    if (state === null) {
      this.#forgotten += 1;
      return;
    }
    const there = state === 'committed';
    if (!end.committed) {
      if (before) this.#rolledBack += 1;
      if (there) list(this.#extra, end);
    } else if (before) {
      this.#present += 1;
      if (!there) list(this.#missing, end);
    } else {
      this.#absent += 1;
      if (there) list(this.#extra, end);
    }
  }

  /** In the WAL numbers have 32 bits; the server's have the count of their rounds in front. */
  #full(xid: number): bigint {
    const round = (this.#next >> 32n) << 32n;
    const full = round + BigInt(xid);
    if (full >= this.#next + 0x8000_0000n) return full - 0x1_0000_0000n;
    return full + 0x8000_0000n < this.#next ? full + 0x1_0000_0000n : full;
  }
}

function list(of: string[], { xid, lsn, text }: TransactionEnd): void {
  if (of.length < LISTED) of.push(`transaction ${xid} at ${lsn}, ${text}`);
}
