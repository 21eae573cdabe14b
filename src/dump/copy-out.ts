import type { Client, Connection, Submittable } from 'pg';
import { BorrowedSocket } from '../postgres/copy-socket.ts';
import type { CopyResult, CopyUnit } from './copy-unit.ts';
import type { RowPacker } from './row-packer.ts';

/** Codes of the server's messages that are handled here; everything else is the driver's. */
const COPY_OUT_RESPONSE = 0x48;
const COPY_DONE = 0x63;
const COPY_DATA = 0x64;
const HEADER = 5;

interface PgConnection {
  readonly stream: NodeJS.ReadableStream & { pause(): void; resume(): void };
  query(text: string): void;
}

/**
 * One simple query with several COPYs, whose rows go to a {@link RowPacker} without passing through the driver: the
 * driver's parser would make an object of every row. While the query runs, we listen to the socket in the driver's place
 * and hand it every message that is not COPY's (the technique of pg-copy-streams; docs/adr/0009).
 */
export class CopyOut {
  readonly done: Promise<void>;
  readonly #text: string;
  readonly #units: readonly CopyUnit[];
  readonly #packer: RowPacker;
  readonly #finished: (result: CopyResult) => void;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;
  #connection: PgConnection | undefined;
  #socket: BorrowedSocket | undefined;
  #unit = -1;
  #copying = false;
  #rows = 0;
  #rest: Buffer = Buffer.alloc(0);
  #error: unknown;

  constructor(text: string, units: readonly CopyUnit[], packer: RowPacker, finished: (result: CopyResult) => void) {
    this.#text = text;
    this.#units = units;
    this.#packer = packer;
    this.#finished = finished;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  // What follows is called by the driver.

  submit(connection: Connection): void {
    this.#connection = connection;
    this.#socket = new BorrowedSocket(this.#connection.stream, this.#listen);
    this.#connection.query(this.#text);
  }

  handleCommandComplete(message: { text?: string }): void {
    const rows = /^COPY (\d+)/.exec(message.text ?? '')?.[1];
    if (rows !== undefined && Number(rows) !== this.#rows) {
      this.#error ??= new Error(`the server says that it sent ${rows} rows of ${this.#label()}, ${String(this.#rows)} came`);
    }
  }

  handleError(error: unknown): void {
    this.#error ??= error;
    this.#socket?.giveBack();
    this.#reject(this.#error);
  }

  handleReadyForQuery(): void {
    this.#socket?.giveBack();
    if (this.#error === undefined && this.#unit !== this.#units.length - 1) this.#error = new Error('the server left out a COPY');
    if (this.#error === undefined) this.#resolve();
    else this.#reject(this.#error);
  }

  readonly handleRowDescription = ignore;
  readonly handleDataRow = ignore;
  readonly handleEmptyQuery = ignore;
  readonly handlePortalSuspended = ignore;

  readonly #listen = (chunk: Buffer): void => {
    try {
      this.#read(chunk);
    } catch (error) {
      // The stream of messages cannot be followed any more: this connection is of no further use.
      this.#error ??= error;
      this.#reject(this.#error);
      this.#copying = false;
      (this.#connection!.stream as unknown as { destroy(): void }).destroy();
    }
  };

  #read(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = EMPTY;
    while (bytes.length > 0) {
      if (this.#copying) bytes = bytes.subarray(this.#packer.take(bytes));
      if (bytes.length < HEADER) break;
      const kind = bytes[0]!;
      if (this.#copying && kind === COPY_DATA) break;
      const length = 1 + bytes.readUInt32BE(1);
      if (bytes.length < length) break;
      this.#message(kind, bytes.subarray(0, length));
      bytes = bytes.subarray(length);
    }
    // A copy: the socket's buffer is read into again.
    if (bytes.length > 0) this.#rest = Buffer.from(bytes);
  }

  #message(kind: number, message: Buffer): void {
    if (kind === COPY_OUT_RESPONSE) {
      this.#unit += 1;
      this.#packer.begin(this.#units[this.#unit]!);
      this.#copying = true;
    } else if (kind === COPY_DONE) {
      this.#copying = false;
      const result = this.#packer.end();
      this.#rows = result.rows;
      this.#finished({ table: this.#units[this.#unit]!.table, ...result });
    } else {
      this.#socket?.hand(message);
    }
  }

  #label(): string {
    return this.#units[this.#unit]?.label ?? 'a table';
  }
}

const EMPTY: Buffer = Buffer.alloc(0);

function ignore(): void {
  // Nothing that COPY or LOCK sends.
}

/** Runs the COPYs of `units` on `client`, after locking each table without waiting. Rejects with the server's error. */
export async function copyOut(
  client: Client,
  units: readonly CopyUnit[],
  packer: RowPacker,
  finished: (result: CopyResult) => void,
): Promise<void> {
  // One round trip for all. Rolling back to the savepoint gives the locks back: a worker that kept one for every table it
  // has seen could fill the server's lock table.
  const statements = units.flatMap(({ lockName, sql }) => [`LOCK TABLE ${lockName} IN ACCESS SHARE MODE NOWAIT`, sql]);
  const text = ['SAVEPOINT unit', ...statements, 'ROLLBACK TO SAVEPOINT unit', 'RELEASE SAVEPOINT unit'].join(';\n');
  const query = new CopyOut(text, units, packer, finished);
  client.query(query as unknown as Submittable);
  await query.done;
}
