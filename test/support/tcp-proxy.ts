import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { Transform } from 'node:stream';

export interface TcpProxy {
  readonly port: number;
  /** Bytes that came from the server. */
  readonly passed: number;
  /** From now on no byte passes on any connection that there is; nobody is told. Connections made after `thaw` work. */
  freeze(): void;
  thaw(): void;
  /** Passes nothing that the server sends until `release`, on any connection that there is; nothing is lost. */
  hold(): void;
  release(): void;
  stop(): Promise<void>;
}

/** A real TCP proxy on loopback in front of a server on a Unix socket or on a port, for a network that stops carrying anything. */
export async function startTcpProxy(to: string | number, port = 0): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let passed = 0;
  let isFrozen = false;
  const pairs = new Set<readonly [from: Transform, to: Socket]>();
  const frozen = new Set<readonly [from: Transform, to: Socket]>();
  const server = createServer((incoming) => {
    if (isFrozen) {
      sockets.add(incoming.on('error', () => undefined));
      return;
    }
    const outgoing = typeof to === 'string' ? connect(to) : connect(to, '127.0.0.1');
    for (const socket of [incoming, outgoing]) sockets.add(socket.on('error', () => undefined));
    const counted = new Transform({
      transform(bytes: Buffer, _encoding, done) {
        passed += bytes.length;
        done(null, bytes);
      },
    });
    const pair = [counted, incoming] as const;
    pairs.add(pair);
    incoming.once('close', () => {
      pairs.delete(pair);
      // While the network carries anything the server learns of it.
      if (!frozen.has(pair)) outgoing.destroy();
    });
    incoming.pipe(outgoing).pipe(counted).pipe(incoming);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get passed() {
      return passed;
    },
    freeze() {
      isFrozen = true;
      for (const socket of sockets) socket.unpipe().removeAllListeners('data').pause();
      for (const pair of pairs) {
        frozen.add(pair);
        pair[0].unpipe();
      }
    },
    thaw() {
      isFrozen = false;
    },
    hold() {
      for (const [from] of pairs) from.unpipe();
    },
    release() {
      for (const [from, to] of pairs) from.pipe(to);
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
