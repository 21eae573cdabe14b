import { Socket } from 'node:net';

/** As much as a Unix socket holds: fewer, larger reads. */
const BUFFER_BYTES = 256 * 1024;

/**
 * A socket that reads into one buffer, again and again: with a new one for each 64 KiB of rows, the garbage collector would be a tenth
 * of a dump's work. Who listens for `data` is handed a copy, unless {@link borrowed}.
 */
export class CopySocket extends Socket {
  /** `data` is a view that is valid only during the call. */
  borrowed = false;

  constructor() {
    super({
      onread: {
        buffer: Buffer.allocUnsafeSlow(BUFFER_BYTES),
        callback: (length, buffer) => {
          const bytes = buffer.subarray(0, length);
          this.emit('data', this.borrowed ? bytes : Buffer.from(bytes));
          return true;
        },
      },
    });
  }
}

type Listener = (chunk: Buffer) => void;

/** The driver's place at its socket while a query runs whose bytes do not pass through the driver (docs/adr/0009). */
export class BorrowedSocket {
  readonly #stream: NodeJS.ReadableStream;
  readonly #listen: Listener;
  #driver: Listener | undefined;

  constructor(stream: NodeJS.ReadableStream, listen: Listener) {
    this.#stream = stream;
    this.#listen = listen;
    this.#driver = stream.listeners('data').at(-1) as Listener;
    stream.removeListener('data', this.#driver);
    stream.on('data', listen);
    if (stream instanceof CopySocket) stream.borrowed = true;
  }

  /** A message that is the driver's after all, as a copy: the driver may keep a part of it. */
  hand(message: Buffer): void {
    this.#driver?.(Buffer.from(message));
  }

  /** Does nothing when it was given back already. */
  giveBack(): void {
    if (!this.#driver) return;
    if (this.#stream instanceof CopySocket) this.#stream.borrowed = false;
    this.#stream.removeListener('data', this.#listen);
    this.#stream.on('data', this.#driver);
    this.#driver = undefined;
  }
}
