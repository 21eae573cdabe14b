import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';

const SCRIPT = fileURLToPath(new URL('s3-server.sh', import.meta.url));

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface S3Server {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string;
  readonly region: string;
  /** May do everything. */
  readonly credentials: S3Credentials;
  /** A valid user without rights on the other one's buckets. */
  readonly stranger: S3Credentials;
  createBucket(name: string): Promise<void>;
  /** A client with the server's own credentials, for looking behind an adapter's back. The caller destroys it. */
  client(): S3Client;
  stop(): Promise<void>;
}

/**
 * Starts a real S3 server on a free loopback port, empty, in some seconds. It ends with this process, however that ends.
 * Where none can be had, prints why and returns `undefined`; `s3-server.sh install` must have run before.
 */
export async function startS3Server(print: (line: string) => void = console.warn): Promise<S3Server | undefined> {
  const check = spawnSync(SCRIPT, ['check'], { encoding: 'utf8' });
  if (check.status !== 0) {
    print(check.stderr.trim() || `no S3 server here: ${SCRIPT} could not be run`);
    return undefined;
  }
  // Another process may take a port between our asking for a free one and the server's use of it.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

async function start(): Promise<S3Server> {
  const [port, monitorPort] = await freePorts();
  const credentials = { accessKeyId: randomBytes(8).toString('hex'), secretAccessKey: randomBytes(16).toString('hex') };
  const server = spawn(SCRIPT, ['run'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      S3_PORT: String(port),
      S3_MONITOR_PORT: String(monitorPort),
      S3_ACCESS_KEY: credentials.accessKeyId,
      S3_SECRET_KEY: credentials.secretAccessKey,
    },
  });
  await ready(server);
  const endpoint = `http://127.0.0.1:${port}`;
  const client = () => new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  return {
    endpoint,
    region: 'us-east-1',
    credentials,
    stranger: { ...credentials, accessKeyId: `${credentials.accessKeyId}STRANGER` },
    client,
    async createBucket(name) {
      const own = client();
      try {
        await own.send(new CreateBucketCommand({ Bucket: name }));
      } finally {
        own.destroy();
      }
    },
    async stop() {
      if (server.exitCode !== null || server.signalCode !== null) return;
      const exited = once(server, 'exit');
      server.kill('SIGKILL');
      await exited;
    },
  };
}

async function ready(server: ChildProcess): Promise<void> {
  const messages: Buffer[] = [];
  server.stderr!.on('data', (chunk: Buffer) => messages.push(chunk));
  const exited = once(server, 'close').then(() => {
    throw new Error(`the S3 server did not start: ${Buffer.concat(messages).toString().trim()}`);
  });
  exited.catch(() => undefined);
  const said = once(server.stdout!, 'data');
  said.catch(() => undefined);
  await Promise.race([said, exited]);
  // What it says later must not keep this process alive; its own end still stops it.
  server.stdout!.resume();
}

async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()];
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ports.push((server.address() as AddressInfo).port);
  }
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return [ports[0]!, ports[1]!];
}
