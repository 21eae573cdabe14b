import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import {
  connect,
  libpqEnvironment,
  quoteIdentifier,
  quoteLiteral,
  withClient,
  type ConnectionOptions,
  type TlsOptions,
} from '../../../src/postgres/connection.ts';
import { findPrograms, type ClientPrograms } from '../../../src/postgres/programs.ts';
import { runProgram } from '../../../src/postgres/run-program.ts';
import { serverAccount } from '../../../src/postgres/server-account.ts';
import { readServerFacts } from '../../../src/postgres/server-facts.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../../src/postgres/throw-away-server.ts';

let folder: string;
let programs: ClientPrograms;
let server: ThrowAwayServer;
let tcp: ConnectionOptions;

/** A certificate that vouches for 127.0.0.1 and for itself, with its key. */
async function makeCertificate(name: string, subject: string): Promise<{ cert: string; key: string }> {
  const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  const request = ['req', '-new', '-x509', '-days', '2', '-nodes', '-newkey', 'rsa:2048', '-subj', `/CN=${name}`];
  await promisify(execFile)('openssl', [...request, '-addext', `subjectAltName=${subject}`, '-out', cert, '-keyout', key]);
  const account = await serverAccount();
  if (account !== undefined) await chown(key, account.uid, account.gid);
  await chmod(key, 0o600);
  return { cert, key };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'connection-'));
  await chmod(folder, 0o755);
  programs = await findPrograms({ serverMajor: 12 });
  const { cert, key } = await makeCertificate('server', 'IP:127.0.0.1');
  server = await startThrowAwayServer({
    binDirectory: programs.directory,
    listenOnLoopback: true,
    settings: { ssl: 'on', ssl_cert_file: cert, ssl_key_file: key },
  });
  tcp = server.loopback!;
}, 120_000);
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

async function ask(options: ConnectionOptions, sql: string): Promise<unknown> {
  return await withClient(options, async (client) => Object.values((await client.query(sql)).rows[0])[0]);
}

const IS_ENCRYPTED = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
const NO_PASSWORD = (): ConnectionOptions => ({ ...server.connection, host: '127.0.0.1' });

describe('what is wrong is told apart', () => {
  test.each<[string, () => ConnectionOptions, object]>([
    [
      'no server',
      () => ({ ...tcp, port: 1 }),
      { code: 'SOURCE_UNREACHABLE', retryable: true, hint: expect.stringContaining('POSTGRES_PORT') },
    ],
    ['no server, by name', () => ({ ...tcp, host: 'localhost', port: 1 }), { code: 'SOURCE_UNREACHABLE', retryable: true }],
    ['no socket', () => ({ ...server.connection, host: '/nonexistent' }), { code: 'SOURCE_UNREACHABLE' }],
    [
      'no such host',
      () => ({ ...tcp, host: 'no-such-host.invalid' }),
      { code: 'SOURCE_UNREACHABLE', message: expect.stringMatching(/not known|EAI/) },
    ],
    ['wrong password', () => ({ ...tcp, password: 'guessed' }), { code: 'SOURCE_AUTHENTICATION', retryable: false }],
    ['no password', NO_PASSWORD, { code: 'SOURCE_AUTHENTICATION', message: expect.stringContaining('none is configured') }],
    [
      'no such role',
      () => ({ ...server.connection, user: 'nobody there' }),
      { code: 'SOURCE_AUTHENTICATION', message: expect.stringContaining('nobody there') },
    ],
    [
      'no such database',
      () => ({ ...tcp, database: '"; drop' }),
      { code: 'SOURCE_DATABASE_MISSING', retryable: false, hint: expect.stringContaining('POSTGRES_DB') },
    ],
  ])('%s', async (_, options, expected) => {
    const failure = connect(options());
    await expect(failure).rejects.toMatchObject({ exitStatus: 10, ...expected });
    await expect(failure).rejects.not.toMatchObject({ message: expect.stringContaining('guessed') });
  });

  test('no right to connect, and no free slot', async () => {
    await withClient(server.connection, async (client) => {
      await client.query('CREATE ROLE guest LOGIN; CREATE ROLE single LOGIN CONNECTION LIMIT 1');
      await client.query('CREATE DATABASE closed');
      await client.query('REVOKE CONNECT ON DATABASE closed FROM PUBLIC');
    });
    const guest = { ...server.connection, user: 'guest', database: 'closed' };
    await expect(connect(guest)).rejects.toMatchObject({
      code: 'SOURCE_PRIVILEGE',
      hint: expect.stringContaining('GRANT CONNECT'),
    });
    const single = { ...server.connection, user: 'single' };
    await withClient(single, async () => {
      await expect(connect(single)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE', retryable: true });
    });
  });

  test.each<[string, (socket: Socket) => void, RegExp]>([
    ['a server that never answers', () => undefined, /no answer within/],
    ['one that hangs up', (socket) => socket.destroy(), /terminated|ECONNRESET/],
    ['one that is no PostgreSQL', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), /cannot connect/],
  ])(
    '%s',
    async (_, behave, message) => {
      const sockets = new Set<Socket>();
      const impostor: Server = createServer((socket) => {
        sockets.add(socket.on('error', () => undefined));
        socket.resume();
        behave(socket);
      });
      await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.1', resolve));
      const { port } = impostor.address() as { port: number };
      try {
        await expect(connect({ ...tcp, port, connectTimeoutSeconds: 2 })).rejects.toMatchObject({
          code: 'SOURCE_UNREACHABLE',
          message: expect.stringMatching(message),
        });
      } finally {
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => impostor.close(resolve));
      }
    },
    30_000,
  );
});

test('connecting is given up when it is aborted, before or while the server keeps us waiting', async () => {
  const silent = createServer((socket) => void socket.on('error', () => undefined));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const options = { ...tcp, port: (silent.address() as { port: number }).port, connectTimeoutSeconds: 600 };
  const controller = new AbortController();
  silent.once('connection', () => controller.abort());
  await expect(connect(options, { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' });
  await expect(connect(options, { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' });
  await new Promise((resolve) => silent.close(resolve));
}, 30_000);

describe('TLS, for the driver and for the programs alike', () => {
  let other: string;
  beforeAll(async () => {
    other = (await makeCertificate('other', 'IP:127.0.0.1')).cert;
  });

  /** Whether the connection is encrypted, by the driver and by psql; or the failure of the first. */
  async function encrypted(tls: TlsOptions, host = tcp.host): Promise<boolean> {
    const options = { ...tcp, host, tls };
    const byDriver = (await ask(options, IS_ENCRYPTED)) as boolean;
    const chunks: Buffer[] = [];
    await runProgram(programs.path('psql'), ['-XAtc', IS_ENCRYPTED], {
      env: libpqEnvironment(options),
      stdout: (chunk) => void chunks.push(chunk),
    });
    expect(Buffer.concat(chunks).toString().trim()).toBe(byDriver ? 't' : 'f');
    return byDriver;
  }

  test('disable does not encrypt; prefer and require do', async () => {
    expect(await encrypted({ mode: 'disable' })).toBe(false);
    expect(await encrypted({ mode: 'prefer' })).toBe(true);
    expect(await encrypted({ mode: 'require' })).toBe(true);
  });

  test('verify-ca and verify-full want the right authority', async () => {
    const ca = join(folder, 'server.crt');
    expect(await encrypted({ mode: 'verify-ca', ca })).toBe(true);
    expect(await encrypted({ mode: 'verify-full', ca })).toBe(true);
    for (const mode of ['verify-ca', 'verify-full', 'require'] as const) {
      await expect(encrypted({ mode, ca: other })).rejects.toMatchObject({
        code: 'SOURCE_UNREACHABLE',
        retryable: false,
        hint: expect.stringContaining('PGSSLROOTCERT'),
      });
    }
  });

  test('verify-full also wants the certificate to be for this host, verify-ca does not', async () => {
    const ca = join(folder, 'server.crt');
    expect(await encrypted({ mode: 'verify-ca', ca }, 'localhost')).toBe(true);
    await expect(encrypted({ mode: 'verify-full', ca }, 'localhost')).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
  });

  test('a server without TLS is taken by prefer only', async () => {
    const plain = await startThrowAwayServer({ binDirectory: programs.directory, listenOnLoopback: true });
    try {
      expect(await ask({ ...plain.loopback!, tls: { mode: 'prefer' } }, IS_ENCRYPTED)).toBe(false);
      await expect(connect({ ...plain.loopback!, tls: { mode: 'require' } })).rejects.toMatchObject({
        code: 'SOURCE_UNREACHABLE',
      });
    } finally {
      await plain.stop();
    }
  }, 60_000);

  test('a file that is not there is named', async () => {
    await expect(connect({ ...tcp, tls: { mode: 'verify-ca', ca: '/nonexistent.pem' } })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('/nonexistent.pem'),
    });
  });
});

describe('a session', () => {
  test('has its settings and its name', async () => {
    const sessionSettings = { search_path: '', TimeZone: 'UTC', 'db_backup.odd': `it's \\ "odd"` };
    await withClient(
      server.connection,
      async (client) => {
        const { rows } = await client.query(
          "SELECT current_setting('search_path') AS path, current_setting('db_backup.odd') AS odd, current_setting('application_name') AS name",
        );
        expect(rows).toEqual([{ path: '', odd: sessionSettings['db_backup.odd'], name: 'test of ours' }]);
      },
      { applicationName: 'test of ours', sessionSettings },
    );
  });

  test('with a setting that the server does not know is refused, and not called unreachable', async () => {
    await expect(connect(server.connection, { sessionSettings: { no_such_setting: '1' } })).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
    });
  });

  test('that the server ends fails its next query and nothing else', async () => {
    await withClient(server.connection, async (client) => {
      await expect(client.query('SELECT pg_terminate_backend(pg_backend_pid())')).rejects.toThrow();
      await expect(client.query('SELECT 1')).rejects.toThrow();
    });
  });

  test.each(["it's", '"quoted"', 'back\\slash', "both \\' and more", 'new\nline', 'ünï', ''])(
    'quotes %j for SQL',
    async (text) => {
      expect(await ask(server.connection, `SELECT ${quoteLiteral(text)}`)).toBe(text);
      if (text === '') return;
      await withClient(server.connection, async (client) => {
        const { fields } = await client.query(`SELECT 1 AS ${quoteIdentifier(text)}`);
        expect(fields[0]?.name).toBe(text);
      });
    },
  );
});

describe('facts about a server', () => {
  test('are its version, its kind and its identity', async () => {
    const facts = await withClient(server.connection, readServerFacts);
    expect(facts.major).toBe(programs.major);
    expect(facts.version.startsWith(String(programs.major))).toBe(true);
    expect(facts).toMatchObject({ standby: false, systemIdentifier: expect.stringMatching(/^\d{15,}$/) });
  });

  test('are complete but for the identity where the role may not read it', async () => {
    await withClient(server.connection, async (client) => {
      await client.query('CREATE ROLE restricted LOGIN; REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC');
    });
    const facts = await withClient({ ...server.connection, user: 'restricted' }, readServerFacts);
    expect(facts.systemIdentifier).toBeUndefined();
    expect(facts.major).toBe(programs.major);
  });

  test('of a server older than 12 are refused', async () => {
    await withClient(server.connection, async (client) => {
      // The real answers, but for the version.
      const old = {
        query: async (sql: string) => {
          const result = await client.query(sql);
          return { ...result, rows: result.rows.map((row) => ({ ...row, version: '11.22', number: '110022' })) };
        },
      };
      await expect(readServerFacts(old as unknown as typeof client)).rejects.toMatchObject({
        code: 'SOURCE_VERSION',
        message: expect.stringContaining('11.22'),
        hint: expect.stringContaining('Upgrade'),
      });
    });
  });
});
