import { parentPort, workerData } from 'node:worker_threads';
import type { Client } from 'pg';
import type { ConnectionOptions } from '../postgres/connection.ts';
import { copyOut } from './copy-out.ts';
import { enterSnapshot, openCopySession } from './copy-session.ts';
import { CopySocket } from '../postgres/copy-socket.ts';
import type { CopyResult, CopyUnit } from './copy-unit.ts';
import { RowPacker } from './row-packer.ts';

/** What a digest thread is started with. */
export interface DigestWorkerData {
  readonly connection: ConnectionOptions;
  readonly serverVersion: number;
  readonly snapshot: string;
}

/** The next units to digest; none: there is nothing left to do. */
export type ToDigestWorker = readonly CopyUnit[] | undefined;

export type FromDigestWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'digested'; readonly results: readonly CopyResult[] }
  /** The server could not give the rows of a table: its words. */
  | { readonly kind: 'unreadable'; readonly table: number; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string };

/** Rows are thrown away as soon as they are digested, so the packer's memory may stay in the processor's cache. */
const CHUNK_BYTES = 128 * 1024;

const port = parentPort!;
const data = workerData as DigestWorkerData;

const say = (message: FromDigestWorker): void => {
  port.postMessage(message);
};

function fail(error: unknown): void {
  say({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
}

const packer = new RowPacker(CHUNK_BYTES, () => undefined);

/** Digests units in one query; when the server refuses one of them, each by itself, so that the others are still looked at. */
async function digest(client: Client, units: readonly CopyUnit[]): Promise<void> {
  const results: CopyResult[] = [];
  try {
    await copyOut(client, units, packer, (result) => void results.push(result));
    say({ kind: 'digested', results });
  } catch (error) {
    if (!isFromServer(error)) throw error;
    await client.query('ROLLBACK');
    await enterSnapshot(client, data.snapshot);
    if (units.length === 1) say({ kind: 'unreadable', table: units[0]!.table, message: error.message });
    else for (const unit of units) await digest(client, [unit]);
  }
}

/** An error message of the server; what it says before it ends the session is none of a table. */
function isFromServer(error: unknown): error is Error {
  const { severity } = error as { severity?: string };
  return error instanceof Error && severity === 'ERROR';
}

try {
  const client = await openCopySession(data.connection, data.serverVersion, 'digest', () => new CopySocket());
  client.on('error', fail);
  await enterSnapshot(client, data.snapshot);
  port.on('message', (units: ToDigestWorker) => {
    if (units) {
      digest(client, units).then(() => say({ kind: 'ready' }), fail);
    } else {
      port.close();
      void client.end();
    }
  });
  say({ kind: 'ready' });
} catch (error) {
  fail(error);
  port.close();
}
