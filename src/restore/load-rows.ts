import type { Client } from 'pg';
import type { Manifest } from '../catalog/manifest.ts';
import { loadTargetKey } from '../catalog/member-index.ts';
import { BackupError } from '../errors.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import { copyRun, copyStatement } from './copy-run.ts';
import type { ReadMember } from './member-reader.ts';
import { createRunQueue, type Run, type RunQueue } from './runs.ts';
import { openLoader } from './session.ts';

export interface LoadOptions {
  /** Connections that load at the same time. */
  readonly loaders: number;
  readonly signal: AbortSignal;
  readonly onRows?: (rows: number) => void;
}

/**
 * Loads the chunks into the database, each with one COPY, on several connections. A loader asks for its next block while
 * the server still works on the present one, so that neither waits; at most two blocks a loader are in memory.
 * On failure or abort every connection is closed before this throws.
 */
export async function loadRows(
  manifest: Manifest,
  members: AsyncGenerator<ReadMember, void, void>,
  connection: ConnectionOptions,
  options: LoadOptions,
): Promise<number> {
  const { signal } = options;
  signal.throwIfAborted();
  const queue = createRunQueue(manifest, members);
  const statements = new Map<number, string>();
  const loaded = new Map<string, number>();
  const clients: Client[] = [];
  const busy = new TablesInUse();
  const close = (): void => clients.forEach((client) => client.connection.stream.destroy());
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => {
    failure ??= { error };
    queue.stop();
    close();
  };
  const onAbort = (): void => fail(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });

  const load = async (): Promise<void> => {
    const client = await openLoader(connection);
    clients.push(client);
    if (failure) throw failure.error;
    await loadUntilEmpty(queue, busy, async (run) => {
      const table = manifest.tables[run.table];
      if (!table)
        throw new BackupError('BACKUP_DAMAGED', `A chunk belongs to table ${run.table}, which the manifest does not have.`);
      const statement = statements.get(run.table) ?? copyStatement(manifest, table);
      statements.set(run.table, statement);
      const rows = await copyRun(client, statement, run);
      loaded.set(loadTargetKey(table), (loaded.get(loadTargetKey(table)) ?? 0) + rows);
      options.onRows?.(rows);
    });
  };

  try {
    await Promise.all(Array.from({ length: options.loaders }, async () => await load().catch(fail)));
    if (failure) throw failure.error;
    await Promise.all(clients.map((client) => client.end()));
  } finally {
    signal.removeEventListener('abort', onAbort);
    close();
    await members.return();
  }
  return checkRows(manifest, loaded);
}

/** Which tables the loaders have blocks of, loading or waiting to be loaded. */
class TablesInUse {
  readonly #loaders = new Map<object, number[]>();

  /** Whether another loader than this one has the table. */
  byOthers(loader: object, table: number): boolean {
    return [...this.#loaders].some(([other, tables]) => other !== loader && tables.includes(table));
  }

  take(loader: object, table: number): void {
    this.#loaders.set(loader, [...(this.#loaders.get(loader) ?? []), table]);
  }

  giveBack(loader: object, table: number): void {
    const tables = this.#loaders.get(loader) ?? [];
    this.#loaders.set(loader, tables.toSpliced(tables.indexOf(table), 1));
  }
}

async function loadUntilEmpty(queue: RunQueue, busy: TablesInUse, load: (run: Run) => Promise<void>): Promise<void> {
  const loader = {};
  const ask = async (): Promise<Run | undefined> => {
    const run = await queue.next((table) => busy.byOthers(loader, table));
    if (run) busy.take(loader, run.table);
    return run;
  };
  let next = ask();
  for (;;) {
    const run = await next;
    if (!run) return;
    if (!run.long) {
      next = ask();
      // Met when it is its turn.
      next.catch(() => undefined);
    }
    try {
      await load(run);
    } catch (error) {
      // What was asked for ahead would otherwise hold up those who wait behind it.
      if (!run.long) void next.then((ahead) => ahead?.close());
      throw error;
    } finally {
      run.close();
      busy.giveBack(loader, run.table);
    }
    if (run.long) next = ask();
  }
}

/** Every row of the manifest has been loaded, table by table; their number. */
function checkRows(manifest: Manifest, loaded: ReadonlyMap<string, number>): number {
  const expected = new Map<string, number>();
  for (const table of manifest.tables) expected.set(loadTargetKey(table), (expected.get(loadTargetKey(table)) ?? 0) + table.rows);
  for (const [key, rows] of expected) {
    const got = loaded.get(key) ?? 0;
    if (got === rows) continue;
    const [schema, name] = JSON.parse(key) as [string, string];
    throw new BackupError('RESTORE_FAILED', `${schema}.${name} got ${got} rows, the manifest says ${rows}.`, {
      hint: 'Manifest and dump contradict one another. `backup-manager verify` tells more.',
    });
  }
  return [...loaded.values()].reduce((sum, rows) => sum + rows, 0);
}
