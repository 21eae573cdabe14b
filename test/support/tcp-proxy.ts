import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Bytes that came from the server. */
  readonly passed: number;
  /** From now on no byte passes on any connection that there is; nobody is told. Connections made after `thaw` work. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** A real TCP proxy on loopback in front of a server on a Unix socket, for a network that stops carrying anything. */
export async function startTcpProxy(socketPath: string): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let passed = 0;
  let isFrozen = false;
  const server = createServer((incoming) => {
    if (isFrozen) {
      sockets.add(incoming.on('error', () => undefined));
      return;
    }
    const outgoing = connect(socketPath);
    for (const socket of [incoming, outgoing]) sockets.add(socket.on('error', () => undefined));
    outgoing.on('data', (bytes: Buffer) => (passed += bytes.length));
    incoming.pipe(outgoing).pipe(incoming);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get passed() {
      return passed;
    },
    freeze() {
      isFrozen = true;
      for (const socket of sockets) socket.unpipe().removeAllListeners('data').pause();
    },
    thaw() {
      isFrozen = false;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
