import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { succeed } from './compose.ts';

/** What containers of our own engine call this machine's loopback; not set on any other engine. */
const LOOPBACK = process.env['DB_BACKUP_TEST_HOST'];

export interface Reachable {
  /** The same server, as containers call it. */
  readonly endpoint: string;
  stop(): Promise<void>;
}

/** Lets containers reach a server on this machine's loopback; on an engine that is not ours, through the gateway of its bridge. */
export async function reachableByContainers(endpoint: string): Promise<Reachable> {
  const address = new URL(endpoint);
  if (LOOPBACK !== undefined) return { endpoint: `http://${LOOPBACK}:${address.port}`, stop: async () => undefined };
  const gateway = await succeed('docker', ['network', 'inspect', 'bridge', '--format', '{{(index .IPAM.Config 0).Gateway}}']);
  const open = new Set<Socket>();
  const server = createServer((incoming) => {
    const outgoing = connect(Number(address.port), address.hostname);
    for (const [from, to] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      open.add(from);
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
      from.pipe(to);
    }
  });
  server.listen(0, gateway);
  await once(server, 'listening');
  return {
    endpoint: `http://${gateway}:${(server.address() as AddressInfo).port}`,
    async stop() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
