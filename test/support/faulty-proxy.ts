import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What happens to a request on its way to the real server. */
export type ProxyFault =
  /** Answered with this status and S3 error code instead of being passed on. */
  | { readonly kind: 'answer'; readonly status: number; readonly code: string }
  /** The answer ends after so many bytes of its body, and the connection with it. */
  | { readonly kind: 'cut-answer'; readonly afterBytes: number }
  /** The server does its work, but its answer is lost. */
  | { readonly kind: 'lose-answer' }
  /** The connection ends before the server sees anything. */
  | { readonly kind: 'reset' }
  /** Nothing ever comes back. */
  | { readonly kind: 'hang' }
  /** One bit of the request's body at this offset is the other way round. */
  | { readonly kind: 'flip'; readonly at: number }
  /** These headers of the answer are left out. */
  | { readonly kind: 'strip-headers'; readonly matching: RegExp };

export interface ProxiedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** Counted from 1 among all requests. */
  readonly number: number;
}

export interface FaultyProxy {
  readonly endpoint: string;
  readonly requests: ProxiedRequest[];
  /** Asked about each request; replaces what was set before. */
  inject(choose: (request: ProxiedRequest) => ProxyFault | undefined): void;
  stop(): Promise<void>;
}

/** A real HTTP proxy on loopback in front of a real server. The host header passes unchanged, so that signatures hold. */
export async function startFaultyProxy(upstream: string): Promise<FaultyProxy> {
  const requests: ProxiedRequest[] = [];
  let choose: (request: ProxiedRequest) => ProxyFault | undefined = () => undefined;
  const server = createServer((incoming, outgoing) => {
    const info = { method: incoming.method ?? '', url: incoming.url ?? '', number: requests.length + 1 };
    requests.push(info);
    incoming.on('error', () => undefined);
    outgoing.on('error', () => undefined);
    handle(upstream, incoming, outgoing, choose(info));
  });
  // Idle connections stay open: closing one just as the client uses it again would be a fault nobody injected.
  server.keepAliveTimeout = 600_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    inject(next) {
      choose = next;
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function handle(upstream: string, incoming: IncomingMessage, outgoing: ServerResponse, fault: ProxyFault | undefined): void {
  if (fault?.kind === 'reset') {
    incoming.socket.destroy();
    return;
  }
  if (fault?.kind === 'hang') return;
  if (fault?.kind === 'answer') {
    incoming.resume();
    incoming.on('end', () => {
      outgoing.writeHead(fault.status, { 'content-type': 'application/xml' });
      outgoing.end(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${fault.code}</Code><Message>injected</Message></Error>`);
    });
    return;
  }
  const forward = request(upstream, { method: incoming.method, path: incoming.url, headers: incoming.headers }, (answer) => {
    if (fault?.kind === 'lose-answer') {
      answer.resume();
      answer.on('end', () => incoming.socket.destroy());
      return;
    }
    const headers = Object.entries(answer.headers).filter(
      ([name]) => !(fault?.kind === 'strip-headers' && fault.matching.test(name)),
    );
    outgoing.writeHead(answer.statusCode ?? 500, Object.fromEntries(headers));
    if (fault?.kind !== 'cut-answer') {
      answer.pipe(outgoing);
      return;
    }
    let left = fault.afterBytes;
    answer.on('data', (chunk: Buffer) => {
      outgoing.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) outgoing.write('', () => incoming.socket.destroy());
    });
  });
  forward.on('error', () => incoming.socket.destroy());
  incoming.on('close', () => {
    if (!incoming.complete) forward.destroy();
  });
  if (fault?.kind !== 'flip') {
    incoming.pipe(forward);
    return;
  }
  let passed = 0;
  incoming.on('data', (chunk: Buffer) => {
    const at = fault.at - passed;
    if (at >= 0 && at < chunk.length) chunk[at]! ^= 1;
    passed += chunk.length;
    forward.write(chunk);
  });
  incoming.on('end', () => forward.end());
}
