import { to as copyTo } from 'pg-copy-streams';
import type { TableEntry } from '../catalog/manifest.ts';
import { createRowCutter } from '../codec/copy-rows.ts';
import { quoteIdentifier, quoteLiteral, type ConnectionOptions } from '../postgres/connection.ts';
import { openCopySession } from './copy-session.ts';

export interface ReadRowsOptions {
  readonly connection: ConnectionOptions;
  readonly tables: readonly Pick<TableEntry, 'schema' | 'name' | 'columns'>[];
  /** Of the rows. */
  readonly encoding: string;
  readonly signal: AbortSignal;
}

/** Hands over every row of the tables as a dump of them would have it: valid only during the call. For looking closer at a few. */
export async function readTableRows(options: ReadRowsOptions, take: (row: Buffer) => void): Promise<void> {
  const { connection, tables, encoding, signal } = options;
  signal.throwIfAborted();
  const client = await openCopySession(connection, undefined, 'drill');
  const hangUp = (): void => void client.connection.stream.destroy();
  signal.addEventListener('abort', hangUp, { once: true });
  try {
    for (const { schema, name, columns } of tables) {
      const list = columns.length === 0 ? '' : ` (${columns.map(quoteIdentifier).join(', ')})`;
      const table = `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
      const rows = createRowCutter(take);
      const stream = client.query(copyTo(`COPY ${table}${list} TO STDOUT (FORMAT text, ENCODING ${quoteLiteral(encoding)})`));
      for await (const chunk of stream as AsyncIterable<Buffer>) rows.update(chunk);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', hangUp);
    // A COPY that was not read to its end keeps the connection busy.
    client.connection.stream.destroy();
  }
}
