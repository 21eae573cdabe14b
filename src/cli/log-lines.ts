import { open, readdir, readFile, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { absentAs } from '../errors.ts';
import { onDisk } from '../storage/disk-error.ts';

const EVERY_MS = 250;
const READ_BYTES = 64 * 1024;

/** One line of a log file. `fields` is absent for what is no JSON. */
export interface LogLine {
  readonly text: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** The newest lines that `wanted` takes, over all files of a log, the oldest first. A log that does not exist has none. */
export async function lastLines(path: string, count: number, wanted: (line: LogLine) => boolean): Promise<LogLine[]> {
  const found: LogLine[] = [];
  for (const file of await filesOf(path)) {
    if (found.length >= count) break;
    const text = await onDisk('read', file, () => absentAs('', readFile(file, 'utf8')));
    found.unshift(...text.split('\n').filter(Boolean).map(parse).filter(wanted));
  }
  return count === 0 ? [] : found.slice(-count);
}

/** Lines as they come, from now on, until the signal aborts. Goes on in the new file when the log is rotated. */
export async function* followLines(path: string, signal: AbortSignal): AsyncGenerator<LogLine> {
  let handle = await openIfThere(path);
  let position = handle ? (await handle.stat()).size : 0;
  let rest = '';
  try {
    while (!signal.aborted) {
      const replaced = await isReplaced(path, handle);
      // To its end: after it was renamed nothing is added to it.
      for (const line of handle ? await linesFrom(handle) : []) yield line;
      if (replaced) {
        await handle?.close();
        handle = await openIfThere(path);
        position = 0;
        continue;
      }
      await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await handle?.close();
  }

  async function linesFrom(file: FileHandle): Promise<LogLine[]> {
    const buffer = Buffer.alloc(READ_BYTES);
    for (;;) {
      const { bytesRead } = await onDisk('read', path, () => file.read(buffer, 0, buffer.length, position));
      if (bytesRead === 0) break;
      position += bytesRead;
      // One byte a character, so that none is cut in two; put together again below.
      rest += buffer.toString('latin1', 0, bytesRead);
    }
    const lines = rest.split('\n');
    rest = lines.pop()!;
    return lines.filter(Boolean).map((line) => parse(Buffer.from(line, 'latin1').toString('utf8')));
  }
}

async function isReplaced(path: string, handle: FileHandle | undefined): Promise<boolean> {
  const there = await onDisk('look at', path, () => absentAs(undefined, stat(path)));
  if (!there) return false;
  return handle === undefined || there.ino !== (await handle.stat()).ino;
}

function openIfThere(path: string): Promise<FileHandle | undefined> {
  return onDisk('read', path, () => absentAs<FileHandle | undefined>(undefined, open(path, 'r')));
}

/** The newest first: `daemon.log`, `daemon.log.1`, … */
async function filesOf(path: string): Promise<string[]> {
  const folder = dirname(path);
  const name = basename(path);
  const numberOf = (each: string) => (each === name ? 0 : Number(each.slice(name.length + 1)));
  const names = await onDisk('list', folder, () => absentAs([], readdir(folder)));
  return names
    .filter((each) => each === name || (each.startsWith(`${name}.`) && Number.isInteger(numberOf(each))))
    .sort((a, b) => numberOf(a) - numberOf(b))
    .map((each) => join(folder, each));
}

function parse(text: string): LogLine {
  try {
    const fields = JSON.parse(text) as Record<string, unknown> | null;
    return typeof fields === 'object' && fields !== null ? { text, fields } : { text };
  } catch {
    return { text };
  }
}
