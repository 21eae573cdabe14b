import { hash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import type { Client } from 'pg';
import type { CodecName } from '../codec/codec.ts';
import { systemClock } from '../clock.ts';
import { LevelChooser, type Level } from '../codec/level.ts';
import { encodeMember } from '../codec/member.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import { copyOut } from './copy-out.ts';
import { enterSnapshot, openCopySession } from './copy-session.ts';
import { CopySocket } from '../postgres/copy-socket.ts';
import type { CopiedMember, CopyResult, CopyUnit } from './copy-unit.ts';
import { RowPacker, type RawMember } from './row-packer.ts';

/** What a worker thread is started with. */
export interface CopyWorkerData {
  readonly connection: ConnectionOptions;
  readonly serverVersion: number;
  readonly codec: CodecName;
  readonly level: Level;
  readonly chunkBytes: number;
  /** Members that may be on their way to the file before the worker waits. */
  readonly credit: number;
}

export type ToCopyWorker =
  /** First, and once: the snapshot to read in. */
  | { readonly kind: 'enter'; readonly snapshot: string }
  | { readonly kind: 'copy'; readonly units: readonly CopyUnit[] }
  | { readonly kind: 'accepted' }
  | { readonly kind: 'close' };

export type FromCopyWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'member'; readonly member: CopiedMember }
  | { readonly kind: 'copied'; readonly results: readonly CopyResult[] }
  | { readonly kind: 'failed'; readonly message: string; readonly sqlState?: string };

const port = parentPort!;
const data = workerData as CopyWorkerData;

/** Nothing else is sent before we are ready. */
const first = new Promise<{ readonly snapshot: string }>((resolve) => {
  port.once('message', resolve);
});

const say = (message: FromCopyWorker, transfer: ArrayBuffer[] = []): void => {
  port.postMessage(message, transfer);
};

function fail(error: unknown): void {
  const { message, code } = error as { message?: string; code?: string };
  say({ kind: 'failed', message: message ?? String(error), ...(code === undefined ? {} : { sqlState: code }) });
}

/** One connection in the shared snapshot, copying what it is told to until it is told to close. */
async function work(client: Client): Promise<void> {
  let credit = data.credit;
  const { stream } = (client as unknown as { connection: { stream: { pause(): void; resume(): void } } }).connection;

  const levels = new LevelChooser(data.codec, data.level, systemClock);
  const packer = new RowPacker(data.chunkBytes, ({ blocks, raw, rows, continues }: RawMember) => {
    const several = blocks.length > 1;
    const effort = levels.choose(several ? undefined : blocks[0]!.table, raw);
    const bytes = encodeMember(data.codec, effort, { kind: 'chunk', continues, rows, several }, raw);
    const sha256 = hash('sha256', bytes, 'hex');
    say({ kind: 'member', member: { blocks, bytes, rawLength: raw.length, rows, continues, sha256 } }, [bytes.buffer]);
    credit -= 1;
    if (credit <= 0) stream.pause();
  });

  const batches: (readonly CopyUnit[])[] = [];
  let copying = false;
  const next = async (): Promise<void> => {
    if (copying) return;
    copying = true;
    for (let units = batches.shift(); units; units = batches.shift()) {
      const results: CopyResult[] = [];
      await copyOut(client, units, packer, (result) => void results.push(result));
      // Small tables wait for one another only while more of them are on their way.
      if (batches.length === 0) packer.flush();
      say({ kind: 'copied', results });
    }
    copying = false;
  };

  port.on('message', (message: ToCopyWorker) => {
    if (message.kind === 'copy') {
      batches.push(message.units);
      next().catch(fail);
    } else if (message.kind === 'accepted') {
      credit += 1;
      if (credit === 1) stream.resume();
    } else if (message.kind === 'close') {
      port.close();
      void client.end();
    }
  });
}

try {
  const { snapshot } = await first;
  const client = await openCopySession(data.connection, data.serverVersion, 'copy', () => new CopySocket());
  client.on('error', fail);
  await enterSnapshot(client, snapshot);
  await work(client);
  say({ kind: 'ready' });
} catch (error) {
  fail(error);
  port.close();
}
