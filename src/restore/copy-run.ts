import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import type { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { loadTarget } from '../catalog/member-index.ts';
import type { Manifest, TableEntry } from '../catalog/manifest.ts';
import { BackupError } from '../errors.ts';
import { quoteIdentifier, quoteLiteral } from '../postgres/connection.ts';
import { release } from '../codec/release.ts';
import type { Run } from './runs.ts';

/** Bytes of one message: the server reads a message whole before it parses the rows in it, and meanwhile we fill the next. */
const MESSAGE_BYTES = 128 * 1024;

export interface CopyTarget {
  readonly schema: string;
  readonly name: string;
}

/** The statement that takes the rows of a table. They are in the encoding of the dumped database; the server converts where it must. */
export function copyStatement(
  manifest: Pick<Manifest, 'database'>,
  table: TableEntry,
  into: CopyTarget = loadTarget(table),
): string {
  const columns = table.columns.length === 0 ? '' : ` (${table.columns.map(quoteIdentifier).join(', ')})`;
  const name = `${quoteIdentifier(into.schema)}.${quoteIdentifier(into.name)}`;
  return `COPY ${name}${columns} FROM STDIN (FORMAT text, ENCODING ${quoteLiteral(manifest.database.encoding)})`;
}

/** Loads one block. Resolves to the number of rows when the server has taken all of them; throws `RESTORE_FAILED` with the server's words. */
export async function copyRun(client: Client, statement: string, run: Run): Promise<number> {
  const stream = client.query(copyFrom(statement));
  const done = finished(stream);
  // Met below; a failure while nobody waits must not count as unhandled.
  done.catch(() => undefined);
  const sent: Buffer[] = [];
  try {
    for await (const text of run.text) {
      // A long block goes to the garbage collector piece by piece: all of it would be too much to keep until its end.
      if (!run.long && !run.shared) sent.push(text);
      for (let at = 0; at < text.length; at += MESSAGE_BYTES) {
        if (!stream.write(text.subarray(at, at + MESSAGE_BYTES))) await Promise.race([once(stream, 'drain'), done]);
      }
    }
    stream.end();
    await done;
  } catch (error) {
    if (error instanceof BackupError) throw error;
    throw copyFailure(statement, error);
  }
  // The server has answered, so that the socket has let go of them.
  for (const text of sent) release(text);
  if (stream.rowCount !== run.rows()) {
    throw new BackupError('RESTORE_FAILED', `${statement}: the server took ${stream.rowCount} rows, the dump has ${run.rows()}.`);
  }
  return stream.rowCount;
}

function copyFailure(statement: string, error: unknown): BackupError {
  const message = error instanceof Error ? error.message : String(error);
  const where = error instanceof Error && 'where' in error && typeof error.where === 'string' ? ` (${error.where})` : '';
  return new BackupError('RESTORE_FAILED', `${statement}: ${message}${where}`, {
    cause: error,
    hint: 'The server refused rows that the source had. Compare the versions of server and extensions, and see the log of the server.',
  });
}
