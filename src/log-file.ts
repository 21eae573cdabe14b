import { closeSync, fchmodSync, fstatSync, ftruncateSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Its name, beside the reports. Older ones are `daemon.log.1`, `daemon.log.2`, … */
export const LOG_FILE = 'daemon.log';

export interface LogFileOptions {
  readonly path: string;
  /** Before it would be larger than this, it is renamed and a new one begun. */
  readonly bytes: number;
  /** How many there are at most, the current one included. */
  readonly files: number;
}

export interface LogFile {
  /** Appends a finished line. Never throws: what cannot be written is counted, and the file says so when it can be written again. */
  write(line: string): void;
  close(): void;
}

/** A log file that only its owner can read, limited in size and number. Written at once, so that a process that dies has said all. */
export function createLogFile({ path, bytes: most, files }: LogFileOptions): LogFile {
  let file: { readonly descriptor: number; size: number } | undefined;
  let lost = 0;
  let why = '';

  function write(line: string): void {
    try {
      const missing = lost === 0 ? '' : lostLine(line, lost, why);
      append(Buffer.from(missing + line));
      lost = 0;
    } catch (error) {
      lost += 1;
      why = (error as NodeJS.ErrnoException).code ?? String(error);
      close();
    }
  }

  function append(bytes: Buffer): void {
    file ??= open();
    if (file.size > 0 && file.size + bytes.length > most) {
      rotate();
      file = open();
    }
    const before = file.size;
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(file.descriptor, bytes, done);
    } catch (error) {
      // Half a line would not be JSON.
      ftruncateSync(file.descriptor, before);
      throw error;
    }
    file.size += bytes.length;
  }

  function open(): NonNullable<typeof file> {
    const descriptor = openMaking(path);
    // One that was there may be of another time.
    fchmodSync(descriptor, 0o600);
    return { descriptor, size: fstatSync(descriptor).size };
  }

  function rotate(): void {
    close();
    for (let number = files - 1; number > 0; number -= 1) {
      const from = number === 1 ? path : `${path}.${number - 1}`;
      ifThere(() => renameSync(from, `${path}.${number}`));
    }
    // The only one begins anew.
    if (files === 1) closeSync(openSync(path, 'w', 0o600));
  }

  function close(): void {
    const descriptor = file?.descriptor;
    file = undefined;
    if (descriptor === undefined) return;
    try {
      closeSync(descriptor);
    } catch {
      // Some network file systems tell only now that a write was lost.
      lost += 1;
    }
  }

  return { write, close };
}

/** The folder of reports is made when it is needed, below one that exists. */
function openMaking(path: string): number {
  try {
    return openSync(path, 'a', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    mkdirSync(dirname(path), { mode: 0o755 });
    return openSync(path, 'a', 0o600);
  }
}

function ifThere(run: () => void): void {
  try {
    run();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** With the time of the line that can be written again. */
function lostLine(line: string, lost: number, why: string): string {
  const time = /"time":"([^"]+)"/.exec(line)?.[1];
  return `${JSON.stringify({ level: 'warn', ...(time !== undefined && { time }), lost, why, msg: 'lines are missing here: they could not be written' })}\n`;
}
