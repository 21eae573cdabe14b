import { ListMultipartUploadsCommand, type S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { BackupError } from '../../src/errors.ts';
import { checkTarget } from '../../src/health/target.ts';
import { bytesContent } from '../../src/storage/content.ts';
import { startReplicatedWrite } from '../../src/storage/replicated-write.ts';
import { withRetries } from '../../src/storage/retrying.ts';
import { createS3Storage, type S3Storage, type S3StorageOptions } from '../../src/storage/s3.ts';
import type { Content } from '../../src/storage/storage.ts';
import { collect, keysOf, pattern, patternContent } from '../support/content.ts';
import { startFaultyProxy, type FaultyProxy, type ProxiedRequest } from '../support/faulty-proxy.ts';
import { startS3Server } from '../support/s3-server.ts';

const MIB = 1024 * 1024;
const server = await startS3Server();
const suite = server ? describe : describe.skip;

suite('the S3 storage in front of a real server', () => {
  const bucket = 'faults';
  let proxy: FaultyProxy;
  let behind: S3Client;
  const open: S3Storage[] = [];

  beforeAll(async () => {
    await server!.createBucket(bucket);
    behind = server!.client();
    proxy = await startFaultyProxy(server!.endpoint);
  });
  afterEach(() => {
    for (const storage of open.splice(0)) storage.close();
    proxy.inject(() => undefined);
    proxy.requests.length = 0;
  });
  afterAll(async () => {
    behind.destroy();
    await proxy.stop();
    await server!.stop();
  });

  /** Through the proxy; one attempt per request, so that each fault is seen. */
  function connect(options: Partial<S3StorageOptions> = {}): S3Storage {
    const storage = createS3Storage({
      name: 's3',
      bucket,
      prefix: 'p',
      endpoint: proxy.endpoint,
      credentials: server!.credentials,
      maxAttempts: 1,
      ...options,
    });
    open.push(storage);
    return storage;
  }

  async function uploads(): Promise<number> {
    return (await behind.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads?.length ?? 0;
  }

  const text = (value: string) => bytesContent(Buffer.from(value));
  const isPart = (request: ProxiedRequest, number: number) =>
    request.method === 'PUT' && request.url.includes(`partNumber=${number}&`);
  const isComplete = (request: ProxiedRequest) => request.method === 'POST' && /[?&]uploadId=/.test(request.url);

  describe('wrong settings are told apart, with a hint', () => {
    test('a bucket that does not exist', async () => {
      const storage = connect({ bucket: 'no-such-bucket' });
      const error = {
        code: 'STORAGE_MISSING',
        message: expect.stringContaining('bucket does not exist'),
        hint: expect.stringContaining('BACKUP_S3_BUCKET'),
      };
      await expect(storage.probe()).rejects.toMatchObject(error);
      await expect(storage.put('x', text('x'))).rejects.toMatchObject(error);
      await expect(storage.put('x', patternContent(20 * MIB))).rejects.toMatchObject(error);
      await expect(collect(storage.get('x'))).rejects.toMatchObject(error);
      await expect(storage.head('x')).rejects.toMatchObject(error);
      await expect(keysOf(storage)).rejects.toMatchObject(error);
      await expect(storage.sweep('', new Date(0))).rejects.toMatchObject(error);
    });

    test.each([
      ['an access key that does not exist', () => ({ accessKeyId: 'NOSUCHKEY', secretAccessKey: 'x' }), 'access key'],
      ['a wrong secret', () => ({ ...server!.credentials, secretAccessKey: 'wrong' }), 'access key or its secret'],
      ['a user without rights on the bucket', () => server!.stranger, 'permission was denied'],
    ])('%s', async (_name, credentials, words) => {
      const storage = connect({ credentials: credentials() });
      const error = { code: 'STORAGE_DENIED', message: expect.stringContaining(words), retryable: false };
      await expect(storage.probe()).rejects.toMatchObject(error);
      const seen = await storage.probe().catch((thrown: unknown) => thrown as BackupError);
      expect(checkTarget('s3', storage.location('full'), seen ?? undefined)).toMatchObject({
        ...{ check: 'target', object: 's3', verdict: 'fail', says: expect.stringContaining(words), hint: expect.any(String) },
      });
      await expect(storage.put('x', patternContent(20 * MIB))).rejects.toMatchObject(error);
      await expect(collect(storage.get('x'))).rejects.toMatchObject(error);
      await expect(keysOf(storage)).rejects.toMatchObject(error);
      // An answer to HEAD carries no error code: it can only be "denied".
      await expect(storage.head('x')).rejects.toMatchObject({ code: 'STORAGE_DENIED' });
    });

    test('an endpoint where nothing listens', async () => {
      const storage = connect({ endpoint: 'http://127.0.0.1:1' });
      await expect(storage.probe()).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        message: expect.stringMatching(/cannot be reached \(.*127\.0\.0\.1:1\)$/),
        hint: expect.stringContaining('BACKUP_S3_ENDPOINT'),
        retryable: true,
      });
    });

    test('an endpoint that accepts and never answers', async () => {
      proxy.inject(() => ({ kind: 'hang' }));
      const storage = connect({ socketTimeoutMs: 200 });
      await expect(storage.head('x')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', retryable: true });
    });
  });

  describe('failures that pass', () => {
    test('503 SlowDown on any request is retryable, and a retried put succeeds', async () => {
      const content = patternContent(20 * MIB);
      const hit = new Set<string>();
      // Each kind of request is refused once.
      proxy.inject((request) => {
        const kind = `${request.method} ${request.url.replace(/uploadId=[^&]*/, '')}`;
        if (hit.has(kind)) return undefined;
        hit.add(kind);
        return { kind: 'answer', status: 503, code: 'SlowDown' };
      });
      await expect(connect().put('slow', content)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', retryable: true });
      hit.clear();
      const storage = withRetries(connect(), { attempts: 10, baseDelayMs: 1, maxDelayMs: 1 });
      expect((await storage.put('slow', content)).sha256).toBe(content.sha256());
      expect(hit.size).toBeGreaterThan(4);
      expect((await collect(storage.get('slow'))).equals(content.bytes())).toBe(true);
      expect(await uploads()).toBe(0);
    });

    test('the SDK tries one part again without starting over', async () => {
      let struck = 0;
      proxy.inject((request) =>
        isPart(request, 2) && (struck += 1) === 1 ? { kind: 'answer', status: 503, code: 'SlowDown' } : undefined,
      );
      const content = patternContent(20 * MIB);
      await connect({ maxAttempts: 3 }).put('retried-part', content);
      expect(proxy.requests.filter((request) => isPart(request, 1)).length).toBe(1);
      expect(proxy.requests.filter((request) => isPart(request, 2)).length).toBe(2);
    });

    test('a connection that breaks off says so', async () => {
      proxy.inject(() => ({ kind: 'reset' }));
      await expect(connect().head('x')).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        message: expect.stringContaining('broke off'),
        retryable: true,
      });
    });

    test('an endpoint that goes down half-way fails the put; the upload it leaves is found by sweep', async () => {
      let down = false;
      proxy.inject((request) => {
        down ||= isPart(request, 2);
        return down ? { kind: 'reset' } : undefined;
      });
      const storage = connect();
      await expect(storage.put('half/x', patternContent(40 * MIB))).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        retryable: true,
      });
      proxy.inject(() => undefined);
      expect(await storage.head('half/x')).toBeUndefined();
      expect(await uploads()).toBe(1);
      expect(await storage.sweep('half/', new Date('2100-01-01'))).toMatchObject([{ key: 'half/x', kind: 'incomplete-upload' }]);
      expect(await uploads()).toBe(0);
    });

    test('a failed part stops the others and the reading of the content', async () => {
      proxy.inject((request) => (isPart(request, 2) ? { kind: 'answer', status: 500, code: 'InternalError' } : undefined));
      await expect(connect().put('stops', patternContent(400 * MIB, { chunk: MIB }))).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
      });
      expect(proxy.requests.filter(({ url }) => url.includes('partNumber=')).length).toBeLessThan(12);
      expect(await uploads()).toBe(0);
    });

    test('a lost answer to the last request is no failure: the object is there', async () => {
      for (const size of [1000, 20 * MIB]) {
        proxy.inject((request) =>
          isComplete(request) || (request.method === 'PUT' && !request.url.includes('partNumber'))
            ? { kind: 'lose-answer' }
            : undefined,
        );
        const content = patternContent(size);
        expect((await connect().put(`lost/${size}`, content)).sha256).toBe(content.sha256());
        proxy.inject(() => undefined);
        expect((await collect(connect().get(`lost/${size}`))).equals(content.bytes())).toBe(true);
        expect(await uploads()).toBe(0);
      }
    });
  });

  describe('an answer that ends early', () => {
    test('is an error, never a short object', async () => {
      await connect().put('cut', patternContent(2 * MIB));
      proxy.inject(() => ({ kind: 'cut-answer', afterBytes: MIB }));
      await expect(collect(connect().get('cut'))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', retryable: true });
      await expect(collect(connect().get('cut', { offset: 5, length: 2 * MIB - 9 }))).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
      });
    });

    test('is read on from there by the retrying storage', async () => {
      const content = patternContent(4 * MIB);
      await connect().put('resumed', content);
      proxy.requests.length = 0;
      proxy.inject((request) => (request.number <= 3 ? { kind: 'cut-answer', afterBytes: MIB } : undefined));
      const storage = withRetries(connect(), { attempts: 3, baseDelayMs: 1, maxDelayMs: 1 });
      expect((await collect(storage.get('resumed'))).equals(content.bytes())).toBe(true);
      expect(proxy.requests.length).toBe(4);
    });
  });

  describe('what is stored is checked', () => {
    test('by the checksum that the server keeps', async () => {
      expect(await connect().put('kept/small', text('small'))).toMatchObject({ checkedBy: 'server-checksum' });
      expect(await connect().put('kept/large', patternContent(20 * MIB))).toMatchObject({ checkedBy: 'server-checksum' });
    });

    test('by reading it back where the server keeps none', async () => {
      proxy.inject(() => ({ kind: 'strip-headers', matching: /^x-amz-checksum/ }));
      const content = patternContent(20 * MIB);
      expect(await connect().put('unkept', content)).toMatchObject({ checkedBy: 'read-back', sha256: content.sha256() });
    });

    test.each([1000, 20 * MIB])(
      'a bit that turns over on the way is refused, and nothing is visible (%d bytes)',
      async (size) => {
        proxy.inject((request) => (request.method === 'PUT' ? { kind: 'flip', at: 500 } : undefined));
        await expect(connect().put('flipped', patternContent(size))).rejects.toMatchObject({
          retryable: true,
          code: 'STORAGE_CORRUPT',
        });
        proxy.inject(() => undefined);
        expect(await connect().head('flipped')).toBeUndefined();
        expect(await uploads()).toBe(0);
      },
    );
  });

  describe('an abort', () => {
    const reason = new BackupError('ABORTED', 'stopped by the test');

    test('while parts are under way leaves no object and no upload', async () => {
      const controller = new AbortController();
      proxy.inject((request) => {
        if (isPart(request, 3)) controller.abort(reason);
        return undefined;
      });
      await expect(connect().put('aborted/parts', patternContent(60 * MIB), controller.signal)).rejects.toBe(reason);
      expect(await connect().head('aborted/parts')).toBeUndefined();
      expect(await uploads()).toBe(0);
    });

    test('while the server completes the object leaves nothing, either', async () => {
      const controller = new AbortController();
      proxy.inject((request) => {
        if (!isComplete(request)) return undefined;
        setTimeout(() => {
          controller.abort(reason);
        }, 300);
        return { kind: 'lose-answer' };
      });
      const outcome = connect().put('aborted/complete', patternContent(20 * MIB), controller.signal);
      controller.signal.addEventListener('abort', () => {
        proxy.inject(() => undefined);
      });
      // Either the loss of the answer is noticed first, and the object counts as stored, or the abort, and it is removed.
      const stored = await outcome.then(
        () => true,
        (error: unknown) => {
          expect(error).toBe(reason);
          return false;
        },
      );
      expect((await connect().head('aborted/complete')) !== undefined).toBe(stored);
      expect(await uploads()).toBe(0);
    });

    test('against an endpoint that hangs does not wait for it for ever', async () => {
      const controller = new AbortController();
      proxy.inject((request) => {
        if (request.method !== 'PUT') return undefined;
        controller.abort(reason);
        return { kind: 'hang' };
      });
      await expect(connect().put('aborted/hang', text('x'), controller.signal)).rejects.toBe(reason);
    });
  });

  describe('large parts, streamed from where the content lies', () => {
    const large = (replayable: boolean): Content & { opened: number[] } => ({
      ...patternContent(80 * MIB, { chunk: MIB, replayable, sized: false }),
      // Makes parts of 40 MiB.
      expectedSize: (40 * MIB * 10_000) / 2,
    });

    test('arrive whole; each is read once for its checksum and once to be sent', async () => {
      const content = large(true);
      const result = await connect().put('streamed', content);
      expect(result).toMatchObject({
        size: 80 * MIB,
        sha256: patternContent(80 * MIB, { chunk: MIB }).sha256(),
        checkedBy: 'server-checksum',
      });
      expect(content.opened).toEqual([0, 0, 40 * MIB]);
      expect(proxy.requests.filter(({ url }) => url.includes('partNumber=')).length).toBe(2);
    });

    test('a part that fails is sent again from the content', async () => {
      let struck = 0;
      proxy.inject((request) =>
        isPart(request, 2) && (struck += 1) === 1 ? { kind: 'answer', status: 503, code: 'SlowDown' } : undefined,
      );
      const content = large(true);
      await connect().put('streamed-again', content);
      expect(content.opened).toEqual([0, 0, 40 * MIB, 40 * MIB]);
    });

    test('content that cannot be read twice arrives whole, too', async () => {
      const content = large(false);
      const result = await connect().put('streamed-once', content);
      expect(result.sha256).toBe(patternContent(80 * MIB, { chunk: MIB }).sha256());
      expect(content.opened).toEqual([0]);
    });

    test('content that breaks leaves nothing', async () => {
      const broken: Content = {
        ...large(true),
        async *open() {
          for (let at = 0; at < 50 * MIB; at += MIB) yield pattern(at, MIB);
          throw new BackupError('SOURCE_FAILED', 'the source broke');
        },
      };
      await expect(connect().put('streamed-broken', broken)).rejects.toMatchObject({ code: 'SOURCE_FAILED' });
      expect(await connect().head('streamed-broken')).toBeUndefined();
      expect(await uploads()).toBe(0);
    });
  });

  test('a replicated write straight to S3, without a local target, arrives whole', async () => {
    const storage = connect();
    const write = startReplicatedWrite({ key: 'full/direct', targets: [storage], expectedSize: 30 * MIB, windowBytes: 4 * MIB });
    for (let at = 0; at < 30 * MIB; at += 2 * MIB) await write.append(pattern(at, 2 * MIB));
    expect(await storage.head('full/direct')).toBeUndefined();
    expect(await write.commit()).toMatchObject([{ ok: true, result: { checkedBy: 'server-checksum' } }]);
    expect((await collect(storage.get('full/direct'))).equals(pattern(0, 30 * MIB))).toBe(true);
  });
});
