import type { Connection } from 'pg';
import type { BaseBackupFacts, BaseBackupOptions, BaseBackupSink } from './base-backup-stream.ts';
import { BorrowedSocket } from './copy-socket.ts';

/** Codes of the server's messages that are handled here; everything else is the driver's. */
const COPY_OUT_RESPONSE = 0x48;
const COPY_DONE = 0x63;
const COPY_DATA = 0x64;
const HEADER = 5;
/** The first byte of what a newer server sends when it is a piece of an archive, or of the manifest. */
const OF_ARCHIVE = 0x64;

const MANIFEST = 'backup_manifest';
const BASE = 'base.tar';
const TAR_END = Buffer.alloc(1024);
const EMPTY: Buffer = Buffer.alloc(0);

type Stream = NodeJS.ReadableStream & { pause(): void; resume(): void; destroy(): void };
export type StreamFacts = Omit<BaseBackupFacts, 'finishedAt'>;

/**
 * One BASE_BACKUP command: three small results around one stream of bytes, or several. While it runs we listen to the socket in the driver's
 * place, as for rows (docs/adr/0009): archives pass as they come, in pieces, and everything else is handed to the driver.
 */
export class BaseBackupQuery {
  readonly done: Promise<StreamFacts>;
  readonly #text: string;
  readonly #oneStream: boolean;
  readonly #sink: BaseBackupSink;
  readonly #progress: BaseBackupOptions['progress'];
  readonly #rows: (string | null)[][][] = [];
  #resolve!: (facts: StreamFacts) => void;
  #reject!: (error: unknown) => void;
  #stream: Stream | undefined;
  #socket: BorrowedSocket | undefined;
  /** Of the archive's bytes in the message that has begun, how many are still to come. */
  #left = 0;
  /** The beginning of a message whose end has not come. */
  #rest: Buffer = EMPTY;
  #total = 0;
  #streams = 0;
  #sent = 0;
  #error: unknown;

  constructor(text: string, oneStream: boolean, sink: BaseBackupSink, progress: BaseBackupOptions['progress']) {
    this.#text = text;
    this.#oneStream = oneStream;
    this.#sink = sink;
    this.#progress = progress;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  // What follows is called by the driver.

  submit(connection: Connection): void {
    const stream = connection.stream as unknown as Stream;
    this.#stream = stream;
    this.#socket = new BorrowedSocket(stream, this.#listen);
    connection.query(this.#text);
  }

  handleRowDescription(): void {
    this.#rows.push([]);
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    this.#rows.at(-1)?.push(fields);
  }

  handleCommandComplete(): void {
    // The facts are in the rows.
  }

  handleError(error: unknown): void {
    this.#fail(error);
  }

  handleReadyForQuery(): void {
    if (this.#error !== undefined) return;
    const [start, , end] = this.#rows;
    if (!start?.[0] || !end?.[0]) {
      this.#fail(new Error('the server did not say where the backup begins and ends'));
      return;
    }
    this.#resolve({
      startLsn: start[0][0]!,
      timeline: Number(start[0][1]),
      endLsn: end[0][0]!,
      tablespaces: this.#tablespaces().flatMap(([oid, location]) => (oid && location ? [{ oid, location }] : [])),
    });
  }

  #tablespaces(): (string | null)[][] {
    return this.#rows[1] ?? [];
  }

  readonly #listen = (chunk: Buffer): void => {
    if (this.#error !== undefined) return;
    try {
      this.#read(chunk);
    } catch (error) {
      this.#fail(error);
    }
  };

  #read(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = EMPTY;
    while (bytes.length > 0) {
      if (this.#left > 0) {
        const part = bytes.subarray(0, this.#left);
        this.#left -= part.length;
        bytes = bytes.subarray(part.length);
        this.#pass(part);
        continue;
      }
      if (bytes.length <= HEADER) break;
      const length = 1 + bytes.readUInt32BE(1);
      if (bytes[0] === COPY_DATA && (!this.#oneStream || bytes[HEADER] === OF_ARCHIVE)) {
        const before = this.#oneStream ? HEADER + 1 : HEADER;
        this.#left = length - before;
        bytes = bytes.subarray(before);
        continue;
      }
      if (bytes.length < length) break;
      this.#message(bytes.subarray(0, length));
      bytes = bytes.subarray(length);
    }
    // A copy: the socket's buffer is read into again.
    if (bytes.length > 0) this.#rest = Buffer.from(bytes);
  }

  #message(message: Buffer): void {
    if (message[0] === COPY_DATA) this.#control(message.subarray(HEADER));
    else if (message[0] === COPY_OUT_RESPONSE) this.#beginStream();
    else if (message[0] === COPY_DONE) this.#endStream();
    else this.#socket?.hand(message);
  }

  /** Older servers open a stream for each archive, in the order in which they listed the tablespaces, and one for the manifest. */
  #beginStream(): void {
    this.#total = this.#tablespaces().reduce((sum, row) => sum + Number(row[2] ?? 0) * 1024, 0);
    if (this.#oneStream) return;
    const at = this.#tablespaces()[this.#streams];
    this.#streams += 1;
    this.#sink.begin(at === undefined ? MANIFEST : at[0] ? `${at[0]}.tar` : BASE);
  }

  #endStream(): void {
    if (!this.#oneStream && this.#streams <= this.#tablespaces().length) this.#pass(TAR_END);
  }

  /** What a newer server says between the bytes. */
  #control(bytes: Buffer): void {
    const kind = String.fromCharCode(bytes[0]!);
    if (kind === 'n') this.#sink.begin(bytes.toString('utf8', 1, bytes.indexOf(0, 1)));
    else if (kind === 'm') this.#sink.begin(MANIFEST);
    else if (kind !== 'p') throw new Error(`the server sent a message of a kind that is not known: ${JSON.stringify(kind)}`);
  }

  #pass(bytes: Buffer): void {
    this.#sent += bytes.length;
    this.#progress?.(this.#sent, this.#total);
    const held = this.#sink.write(bytes);
    if (held === undefined) return;
    const stream = this.#stream!;
    stream.pause();
    held.then(
      () => stream.resume(),
      (error: unknown) => this.#fail(error),
    );
  }

  #fail(error: unknown): void {
    this.#error ??= error;
    this.#reject(this.#error);
    this.#stream?.destroy();
  }
}
