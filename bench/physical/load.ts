import { startS3Server } from '../../test/support/s3-server.ts';
import { parseLsn } from '../../src/catalog/lsn.ts';
import { familyCpu } from '../run/process-tree.ts';
import { median, type LoadFigure, type LoadFigures, type Spread } from './figures.ts';
import type { Ground } from './ground.ts';
import { withDaemon, withReceiver, type Stream } from './streams.ts';
import { watch, type Seen } from './watch.ts';

export const LOAD_WAYS = ['none', 'receiver', 'disk', 'off-site'] as const;
type LoadWay = (typeof LOAD_WAYS)[number];

const NAMES: Readonly<Record<LoadWay, string>> = {
  none: 'without a stream',
  receiver: '`pg_receivewal` alone',
  disk: 'with us, onto the disk',
  'off-site': 'with us, onto the disk and to an S3 server on this machine',
};
/** A load that goes on for so long meets the server's own checkpoints. */
const CHECKPOINT_SECONDS = 300;
const BUCKET = 'db-backup-bench';

export interface LoadOptions {
  readonly ways: readonly LoadWay[];
  readonly rounds: number;
  /** Of each round. */
  readonly seconds: number;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

interface Run {
  readonly transactions: number;
  /** Processor time of each, µs: of the server, and of what receives. */
  readonly server: number;
  readonly receiver: number;
  readonly walBytes: number;
  readonly seen: Seen;
}

/** `pgbench -c 8` in turn with nothing that streams, and with each of the ways to stream. */
export async function measureLoad(ground: Ground, options: LoadOptions): Promise<LoadFigures> {
  const { ways, rounds, seconds, signal, say } = options;
  const runs = new Map<LoadWay, Run[]>();
  await ground.pgbench(`-n -c 8 -j 2 -T 5`);
  for (let round = 1; round <= rounds; round += 1) {
    for (const way of ways) {
      signal.throwIfAborted();
      const run = await inWay(ground, way, options);
      if (!run) continue;
      runs.set(way, [...(runs.get(way) ?? []), run]);
      say(`round ${round}: ${NAMES[way]}: ${run.transactions.toFixed(0)} transactions a second`);
    }
  }
  const rates = (of: readonly Run[]): number[] => of.map(({ transactions }) => transactions);
  const without = runs.get('none');
  return {
    seconds,
    ways: [...runs].map(([way, found]): LoadFigure => {
      const seen = found.map((run) => run.seen);
      const onDisk = seen.flatMap((each) => each.onDisk);
      const offSite = seen.flatMap((each) => each.offSite);
      return {
        ...{ name: NAMES[way], rounds: rates(found) },
        ...(without && { ratio: median(rates(found)) / median(rates(without)) }),
        serverMicroseconds: median(found.map(({ server }) => server)),
        walBytesASecond: median(found.map(({ walBytes }) => walBytes)) / seconds,
        ...(way !== 'none' && {
          receiverMicroseconds: median(found.map(({ receiver }) => receiver)),
          segmentsBehind: Math.max(...seen.map(({ behind }) => behind)),
          bytes: Math.max(...seen.map(({ bytes }) => bytes)),
        }),
        ...(onDisk.length > 0 && { onDisk: spread(onDisk), segmentsWaiting: Math.max(...seen.map(({ waiting }) => waiting)) }),
        ...(offSite.length > 0 && { offSite: spread(offSite) }),
      };
    }),
  };
}

/** `undefined` where there is no S3 server. */
async function inWay(ground: Ground, way: LoadWay, options: LoadOptions): Promise<Run | undefined> {
  const run = async (stream?: Stream): Promise<Run> => await measureRun(ground, stream, options.seconds);
  if (way === 'none') return await run();
  if (way === 'receiver') return await withReceiver(ground, options.signal, run);
  if (way === 'disk') return await withDaemon(ground, {}, options.signal, run);
  if ('BACKUP_S3_BUCKET' in ground.bucket) return await withDaemon(ground, ground.bucket, options.signal, run);
  const server = await startS3Server(options.say);
  if (!server) return undefined;
  try {
    await server.createBucket(BUCKET);
    const bucket = {
      ...{ BACKUP_S3_BUCKET: BUCKET, BACKUP_S3_ENDPOINT: server.endpoint, AWS_REGION: server.region },
      ...{ AWS_ACCESS_KEY_ID: server.credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey },
    };
    return await withDaemon(ground, bucket, options.signal, run);
  } finally {
    await server.stop();
  }
}

async function measureRun(ground: Ground, stream: Stream | undefined, seconds: number): Promise<Run> {
  if (seconds < CHECKPOINT_SECONDS) await ground.sql('CHECKPOINT');
  const used = () => ({ server: familyCpu(ground.postmaster), receiver: stream ? familyCpu(stream.pid) : 0 });
  const written = async (): Promise<bigint> =>
    parseLsn((await ground.sql<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn'))[0]!.lsn);
  const ended = new AbortController();
  const watched = watch(ground, stream, ended.signal);
  watched.catch(() => undefined);
  const [from, before] = [await written(), used()];
  const output = await ground.pgbench(`-n -c 8 -j 2 -T ${seconds}`);
  const [to, after] = [await written(), used()];
  ended.abort();
  const transactions = Number(/tps = ([\d.]+)/.exec(output)![1]);
  const each = (cpuSeconds: number): number => (cpuSeconds * 1e6) / (transactions * seconds);
  return {
    ...{ transactions, walBytes: Number(to - from), seen: await watched },
    ...{ server: each(after.server - before.server), receiver: each(after.receiver - before.receiver) },
  };
}

function spread(values: readonly number[]): Spread {
  return { median: median(values), highest: Math.max(...values) };
}
