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
  /** The server learns of those that froze; until then it takes them for alive, as when a network lost the other end. */
  dropFrozen(): void;
  /** Passes nothing that the server sends until `release`, on any connection that there is; nothing is lost. */
  hold(): void;
  release(): void;
  stop(): Promise<void>;
}

interface Pair {
  readonly incoming: Socket;
  readonly outgoing: Socket;
  /** What came from the server, on its way to `incoming`. */
  readonly counted: Transform;
}

/** A real TCP proxy on loopback in front of a server on a Unix socket or on a port, for a network that stops carrying anything. */
export async function startTcpProxy(to: string | number, port = 0): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let passed = 0;
  let isFrozen = false;
  const pairs = new Set<Pair>();
  const frozen = new Set<Pair>();
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
    const pair: Pair = { incoming, outgoing, counted };
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
        pair.counted.unpipe();
      }
    },
    thaw() {
      isFrozen = false;
    },
    dropFrozen() {
      for (const { outgoing } of frozen) outgoing.destroy();
    },
    hold() {
      for (const { counted } of pairs) counted.unpipe();
    },
    release() {
      for (const { counted, incoming } of pairs) counted.pipe(incoming);
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
