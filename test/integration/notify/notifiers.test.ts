import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { systemClock } from '../../../src/clock.ts';
import type { MailConfig } from '../../../src/config/notify-config.ts';
import type { Alert } from '../../../src/notify/alert.ts';
import { createMail } from '../../../src/notify/mail.ts';
import type { Notifier } from '../../../src/notify/notifier.ts';
import { createPagerDuty } from '../../../src/notify/pagerduty.ts';
import { createPinger } from '../../../src/notify/ping.ts';
import { withRetries } from '../../../src/notify/retrying.ts';
import { createSlack } from '../../../src/notify/slack.ts';
import { createWebhook } from '../../../src/notify/webhook.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { startReceiver, type Receiver } from '../../support/receiver.ts';

const problem: Alert = {
  ...{ source: 'shop', job: 'nightly-backup', kind: 'failure', status: 'problem', severity: 'critical', id: 'shop/1' },
  ...{ summary: 'the disk <of> the *backup* & all is full', hint: 'Make room.', facts: { label: 'backup_shop_1' } },
  ...{ since: '2026-01-01T02:00:00.000Z', at: '2026-01-02T02:00:00.000Z', times: 2 },
};
const recovery: Alert = { ...problem, status: 'recovery', id: 'shop/2' };
const never = new AbortController().signal;
const QUICK = { attempts: 3, baseDelayMs: 1, maxDelayMs: 1, attemptMs: 60_000 };
const SECRET_PATH = '/services/T000/SECRET';

let receiver: Receiver;

beforeEach(async () => {
  receiver = await startReceiver();
});

afterEach(() => receiver.stop());

const json = (index: number) => JSON.parse(receiver.requests[index]!.body);

describe('PagerDuty', () => {
  const create = () => createPagerDuty({ url: `${receiver.url}/v2/enqueue`, routingKey: 'KEY' });

  test('gets an incident for a problem and its end under the same key', async () => {
    await create().send(problem, never);
    await create().send(recovery, never);
    expect(receiver.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /v2/enqueue', 'POST /v2/enqueue']);
    expect(json(0)).toMatchObject({
      routing_key: 'KEY',
      event_action: 'trigger',
      dedup_key: 'db-backup/shop/nightly-backup/failure',
      payload: {
        summary: 'nightly-backup of shop: the disk <of> the *backup* & all is full',
        source: 'shop',
        severity: 'critical',
        timestamp: '2026-01-02T02:00:00.000Z',
        component: 'nightly-backup',
        class: 'failure',
        custom_details: { label: 'backup_shop_1', hint: 'Make room.', times: 2 },
      },
    });
    expect(json(1)).toEqual({ routing_key: 'KEY', event_action: 'resolve', dedup_key: 'db-backup/shop/nightly-backup/failure' });
  });

  test('is given no more than it takes', async () => {
    await create().send({ ...problem, source: 'ö'.repeat(200), summary: 'x'.repeat(5000) }, never);
    expect(json(0).dedup_key.length).toBeLessThanOrEqual(255);
    expect(json(0).payload.summary).toHaveLength(1024);
  });

  test('opens and closes an incident of its own for a test', async () => {
    await create().send({ ...problem, status: 'test' }, never);
    expect([json(0).event_action, json(1).event_action]).toEqual(['trigger', 'resolve']);
    expect(json(0).payload.severity).toBe('info');
    expect(json(0).dedup_key).toBe(json(1).dedup_key);
    expect(json(0).dedup_key).not.toBe('db-backup/shop/nightly-backup/failure');
  });
});

describe('A Slack-compatible webhook', () => {
  test('gets a text in which nothing of ours is taken for mark-up', async () => {
    receiver.answer = () => ({ status: 200, body: 'ok' });
    const slack = createSlack({ url: receiver.url + SECRET_PATH });
    await slack.send(problem, never);
    await slack.send(recovery, never);
    expect(json(0).text.split('\n')).toEqual([
      ':rotating_light: *nightly-backup of shop: the disk &lt;of&gt; the ∗backup∗ &amp; all is full*',
      'the disk &lt;of&gt; the *backup* &amp; all is full',
      'What to do: Make room.',
      'First seen: 2026-01-01T02:00:00.000Z, 2 times since, last 2026-01-02T02:00:00.000Z',
      'label: backup_shop_1',
    ]);
    expect(json(1).text).toMatch(/^:white_check_mark: \*Recovered: nightly-backup of shop \(failure\)\*\nIt is over since/);
  });
});

describe('A webhook', () => {
  test('gets the whole alert, and no signature without a secret', async () => {
    await createWebhook({ url: `${receiver.url}/hook?token=1`, clock: systemClock }).send(problem, never);
    expect(json(0)).toEqual({
      ...{ version: 1, key: 'db-backup/shop/nightly-backup/failure' },
      ...{ title: 'nightly-backup of shop: the disk <of> the *backup* & all is full', ...problem },
    });
    const { headers, path } = receiver.requests[0]!;
    expect(path).toBe('/hook?token=1');
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'x-backup-delivery': 'shop/1' });
    expect(headers['x-backup-signature']).toBeUndefined();
  });
});

describe('A ping', () => {
  const pinger = (exitStatus = false, base = `${receiver.url}/ping/uuid`) =>
    createPinger({ name: 'ping nightly-backup', url: base, exitStatus });
  const run = '00000000-0000-4000-8000-000000000000';

  test('says start, success, and failure with the end of the log', async () => {
    await pinger().ping({ event: 'start', run }, never);
    await pinger().ping({ event: 'success', run }, never);
    await pinger().ping({ event: 'failure', run, body: `${'x'.repeat(50_000)}the end`, exitStatus: 20 }, never);
    await pinger(true).ping({ event: 'failure', run, exitStatus: 20 }, never);
    await pinger().ping({ event: 'log', run }, never);
    // An address with a key and a slug of its own, and a query.
    await pinger(false, `${receiver.url}/key/slug/?create=1`).ping({ event: 'failure', run }, never);
    expect(receiver.requests.map(({ path }) => path)).toEqual([
      `/ping/uuid/start?rid=${run}`,
      `/ping/uuid?rid=${run}`,
      `/ping/uuid/fail?rid=${run}`,
      `/ping/uuid/20?rid=${run}`,
      `/ping/uuid/log?rid=${run}`,
      `/key/slug/fail?create=1&rid=${run}`,
    ]);
    expect(receiver.requests[2]!.body).toMatch(/^x{19993}the end$/);
  });
});

describe('A web server that does not take an alert', () => {
  const slack = () => createSlack({ url: receiver.url + SECRET_PATH });
  const host = () => new URL(receiver.url).host;

  test.each([500, 503, 429, 408])('is asked again when it answers %d', async (status) => {
    receiver.answer = (_, index) => ({ status: index < 2 ? status : 200 });
    await withRetries(slack(), QUICK).send(problem, never);
    expect(receiver.requests).toHaveLength(3);
  });

  test('is given up after so many attempts, with what it said and without the secret in its address', async () => {
    receiver.answer = () => ({ status: 500, body: 'out of order' });
    const error = await withRetries(slack(), QUICK).send(problem, never).catch(String);
    expect(error).toContain(`slack (${host()}) did not take an alert: it answered 500: out of order`);
    expect(error).not.toContain('SECRET');
    expect(receiver.requests).toHaveLength(3);
  });

  test.each([
    [400, 'Check the address and the key'],
    [404, 'Check the address and the key'],
    [301, 'It has moved'],
  ])('is not asked again when it answers %d', async (status, hint) => {
    receiver.answer = () => ({ status, ...(status === 301 && { location: `${receiver.url}/elsewhere` }) });
    await expect(withRetries(slack(), QUICK).send(problem, never)).rejects.toMatchObject({
      code: 'ALERT_FAILED',
      retryable: false,
      hint: expect.stringContaining(hint),
    });
    expect(receiver.requests).toHaveLength(1);
  });

  test('is asked again when it breaks off, and when it does not answer in time', async () => {
    receiver.answer = (_, index) => (['drop', 'hang'] as const)[index] ?? { status: 200 };
    await withRetries(slack(), { ...QUICK, attempts: 10, attemptMs: 300 }).send(problem, never);
    expect(receiver.requests.length).toBeGreaterThanOrEqual(3);
    receiver.answer = () => 'hang';
    await expect(withRetries(slack(), { ...QUICK, attempts: 1, attemptMs: 50 }).send(problem, never)).rejects.toMatchObject({
      message: 'slack did not take an alert: no answer in 0.05 s',
      retryable: true,
    });
  });

  test('cannot keep us with an answer that does not end', async () => {
    receiver.answer = () => 'drip';
    await expect(withRetries(slack(), { ...QUICK, attempts: 1, attemptMs: 100 }).send(problem, never)).rejects.toMatchObject({
      code: 'ALERT_FAILED',
    });
  });

  test('is let go at once when the signal says so', async () => {
    receiver.answer = () => 'hang';
    const stop = new AbortController();
    const sent = withRetries(slack(), QUICK).send(problem, stop.signal);
    while (receiver.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    stop.abort(new Error('enough'));
    await expect(sent).rejects.toThrow('enough');
  });

  test('is named when nobody listens, and when its certificate is not trusted', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await expect(createSlack({ url: `http://127.0.0.1:${port}/x` }).send(problem, never)).rejects.toMatchObject({
      code: 'ALERT_FAILED',
      retryable: true,
      message: expect.stringMatching(/^slack \(127\.0\.0\.1:\d+\) did not take an alert: .*ECONNREFUSED/),
    });
    const secure = await startReceiver(await makeCertificate());
    try {
      await expect(createSlack({ url: secure.url }).send(problem, never)).rejects.toMatchObject({
        retryable: false,
        message: expect.stringContaining('certificate is not trusted'),
        hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
      });
      expect(secure.requests).toEqual([]);
    } finally {
      await secure.stop();
    }
  });
});

describe('Mail', () => {
  interface Mail {
    readonly to: readonly string[];
    readonly user: string | undefined;
    readonly text: string;
  }
  let mails: Mail[];
  let server: SMTPServer | undefined;

  beforeEach(() => {
    mails = [];
    server = undefined;
  });
  afterEach(async () => {
    const closing = server;
    if (closing) await new Promise<void>((resolve) => closing.close(() => resolve()));
  });

  async function mailer(options: SMTPServerOptions = {}, config: Partial<MailConfig> = {}): Promise<Notifier> {
    server = new SMTPServer({
      ...{ authOptional: true, logger: false, closeTimeout: 10, disableReverseLookup: true },
      onAuth: ({ username, password }, _session, done) =>
        password === 'right' ? done(null, { user: username ?? '' }) : done(new Error(`no: ${password ?? ''}`)),
      onData: (stream, session, done) => {
        let text = '';
        stream.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
        stream.on('end', () => {
          mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), user: session.user, text });
          done();
        });
      },
      ...options,
    });
    server.on('error', () => undefined);
    const listening = server.listen(0, '127.0.0.1');
    if (!listening.listening) await once(listening, 'listening');
    const { port } = listening.address() as AddressInfo;
    return createMail({
      ...{
        host: '127.0.0.1',
        port,
        security: 'none',
        from: 'Backup <backup@example.com>',
        to: ['a@example.com', 'b@example.com'],
      },
      ...config,
    });
  }

  test('reaches everybody, in one thread for a problem, and logs in when told to', async () => {
    const mail = await mailer({ allowInsecureAuth: true }, { login: { user: 'me', password: 'right' } });
    await mail.send(problem, never);
    await mail.send(recovery, never);
    expect(mails.map(({ to, user }) => ({ to, user }))).toEqual(
      Array.from({ length: 2 }, () => ({ to: ['a@example.com', 'b@example.com'], user: 'me' })),
    );
    const [first, second] = mails.map(({ text }) => text.replace(/\r\n[ \t]/g, ' '));
    expect(first).toMatch(/^Subject: nightly-backup of shop: the disk <of> the \*backup\* & all is full\r?$/m);
    expect(first).toMatch(/^Auto-Submitted: auto-generated\r?$/m);
    expect(first).toContain('What to do: Make room.');
    const thread = (text: string) => /^References: (.*)$/m.exec(text)![1];
    expect(thread(second!)).toBe(thread(first!));
    expect(second).toMatch(/^Subject: Recovered: nightly-backup of shop \(failure\)\r?$/m);
  });

  test('takes no header from a text', async () => {
    const mail = await mailer();
    await mail.send({ ...problem, summary: 'broken\r\nBcc: evil@example.com\r\n\r\nbody' }, never);
    expect(mails[0]!.to).toEqual(['a@example.com', 'b@example.com']);
    expect(mails[0]!.text.split('\r\n\r\n')[0]).not.toMatch(/^Bcc:/im);
  });

  test('is not sent in plain text when encryption is asked for', async () => {
    const plain = await mailer({ hideSTARTTLS: true, disabledCommands: ['STARTTLS'] }, { security: 'starttls' });
    await expect(plain.send(problem, never)).rejects.toMatchObject({ code: 'ALERT_FAILED' });
    expect(mails).toEqual([]);
  });

  test('is not sent to a relay whose certificate nobody signed', async () => {
    const mail = await mailer({}, { security: 'starttls' });
    await expect(mail.send(problem, never)).rejects.toMatchObject({
      ...{ code: 'ALERT_FAILED', retryable: false },
      hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
    expect(mails).toEqual([]);
  });

  test('says that the login is refused, without the password', async () => {
    const mail = await mailer({ allowInsecureAuth: true }, { login: { user: 'me', password: 'wrong-secret' } });
    const error = await mail.send(problem, never).catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({
      retryable: false,
      message: 'mail (127.0.0.1) did not take an alert: it refuses the login (535)',
    });
  });

  test('says who is refused, though others have it', async () => {
    const mail = await mailer({
      onRcptTo: ({ address }, _session, done) => done(address.startsWith('b@') ? new Error('unknown user') : null),
    });
    await expect(mail.send(problem, never)).rejects.toMatchObject({
      retryable: false,
      message: expect.stringContaining('it refuses b@example.com; the others have it'),
    });
    expect(mails.map(({ to }) => to)).toEqual([['a@example.com']]);
  });

  test('is tried again when the relay says not now, and given up when it says no', async () => {
    const answers = [451, 200, 554];
    const onMailFrom: SMTPServerOptions['onMailFrom'] = (_address, _session, done) => {
      const responseCode = answers.shift()!;
      done(responseCode === 200 ? null : Object.assign(new Error('no'), { responseCode }));
    };
    const mail = withRetries(await mailer({ onMailFrom }), QUICK);
    await mail.send(problem, never);
    expect(mails).toHaveLength(1);
    await expect(mail.send(problem, never)).rejects.toMatchObject({ retryable: false });
    expect(answers).toEqual([]);
  });

  test('gives up a relay that never greets', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const config = { host: '127.0.0.1', port, security: 'none', from: 'a@example.com', to: ['b@example.com'] } as const;
    const connected = once(silent, 'connection');
    await expect(withRetries(createMail(config), { ...QUICK, attempts: 1, attemptMs: 100 }).send(problem, never)).rejects.toThrow(
      'mail did not take an alert: no answer in 0.1 s',
    );
    const [socket] = (await connected) as [Socket];
    // We have hung up.
    if (!socket.destroyed && !socket.readableEnded) await once(socket.resume(), 'end');
    silent.close();
  });
});
