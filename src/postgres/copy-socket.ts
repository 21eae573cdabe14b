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
