import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { BEGIN_PREFIX, END_PREFIX } from '../codec/script-comments.ts';
import { BackupError } from '../errors.ts';
import { runProgram } from '../postgres/run-program.ts';
import { guardScript } from './foreign-guard.ts';

export type ScriptFormat = 'sql' | 'sql.gz' | 'sql.zst';

/** Scripts that say where they end: what they begin with, and what must then be near their end. */
const ENDINGS = [
  { begin: BEGIN_PREFIX, end: END_PREFIX },
  { begin: '-- PostgreSQL database dump\n', end: '-- PostgreSQL database dump complete\n' },
];
const BEGIN_BYTES = 1024;
/** The longest text that must be seen whole although it may be cut between two pieces. */
const OVERLAP = 64;

/**
 * The text of an SQL script, decompressed, in pieces of whole lines. Throws `RESTORE_REFUSED` before it hands on anything of a piece that
 * has a command which goes to another database, or makes, drops or changes one: what ran before could only reach the new database. Throws
 * `BACKUP_DAMAGED` at the end of a script that says how it ends and does not end so.
 */
export async function* readScript(path: string, format: ScriptFormat, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
  let before: Buffer = Buffer.alloc(0);
  let start: Buffer | undefined;
  const ended = new Set<string>();
  for await (const chunk of guardScript(decompressed(path, format, signal), (line) => reachesDatabase(path, line))) {
    start ??= chunk.subarray(0, BEGIN_BYTES);
    const seen = Buffer.concat([before.subarray(-OVERLAP), chunk]);
    for (const { end } of ENDINGS) if (seen.includes(end)) ended.add(end);
    yield chunk;
    before = seen;
  }
  if (start === undefined) throw new BackupError('BACKUP_FORMAT', `${path} holds nothing.`);
  const ending = ENDINGS.find(({ begin }) => start.includes(begin));
  if (ending && !ended.has(ending.end)) {
    throw new BackupError('BACKUP_DAMAGED', `${path} is cut off: its last line is missing.`, {
      hint: 'Use another copy of the file.',
    });
  }
}

function reachesDatabase(path: string, line: string): BackupError {
  return new BackupError(
    'RESTORE_REFUSED',
    `${path} has the line ${JSON.stringify(line)}, which reaches beyond the database that is restored and could overwrite or drop others: ` +
      'it was probably made by pg_dumpall or pg_dump --create. Nothing was changed but the new database, which is not kept.',
    { hint: 'Restore it by hand with psql where that is wanted, or take the part of the database you need out of it.' },
  );
}

async function* decompressed(path: string, format: ScriptFormat, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
  if (format === 'sql.zst') {
    // The decoder of Node stops after the first frame, and says nothing.
    yield* outputOf('zstd', ['-dcq', '--', path], signal);
    return;
  }
  const file = createReadStream(path, { highWaterMark: 1024 * 1024 });
  try {
    if (format === 'sql') {
      yield* file as AsyncIterable<Buffer>;
      return;
    }
    const inflate = createGunzip({ chunkSize: 256 * 1024 });
    file.once('error', (error) => inflate.destroy(error));
    yield* file.pipe(inflate) as AsyncIterable<Buffer>;
  } catch (cause) {
    throw new BackupError(
      'BACKUP_DAMAGED',
      `${path} cannot be read to its end: ${cause instanceof Error ? cause.message : String(cause)}.`,
      {
        cause,
        hint: 'The file is cut off or damaged. Use another copy of it.',
      },
    );
  } finally {
    file.destroy();
  }
}

/** What a program writes, piece by piece; it is held back until the piece before has been used. */
async function* outputOf(program: string, args: readonly string[], signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
  const stop = new AbortController();
  let give!: (piece: { chunk: Buffer; used: () => void } | undefined) => void;
  let next = new Promise<{ chunk: Buffer; used: () => void } | undefined>((resolve) => (give = resolve));
  const running = runProgram(program, args, {
    signal: AbortSignal.any([signal, stop.signal]),
    stdout: (chunk) => new Promise((used) => give({ chunk, used })),
  }).finally(() => give(undefined));
  running.catch(() => undefined);
  try {
    for (let piece = await next; piece; piece = await next) {
      next = new Promise((resolve) => (give = resolve));
      yield piece.chunk;
      piece.used();
    }
    await running;
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'CLIENT_PROGRAM_FAILED') throw error;
    throw new BackupError('BACKUP_DAMAGED', `${args.at(-1) ?? ''} cannot be read to its end: ${error.message}.`, {
      cause: error,
      hint: 'The file is cut off or damaged. Use another copy of it.',
    });
  } finally {
    stop.abort();
  }
}
