import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** `hang` never answers, `drop` closes the connection, `drip` answers 200 and then never ends. */
export type Answer = { readonly status: number; readonly body?: string; readonly location?: string } | 'hang' | 'drop' | 'drip';

export interface Receiver {
  readonly url: string;
  /** In the order of arrival. */
  readonly requests: Received[];
  answer: (request: Received, index: number) => Answer;
  stop(): Promise<void>;
}

/** A real web server on loopback that takes what is posted to it and answers as it is told; 202 by default. */
export async function startReceiver(tls?: ServerOptions): Promise<Receiver> {
  const server: Server = tls ? createTlsServer(tls) : createServer();
  const requests: Received[] = [];
  server.on('request', (request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const received = { method: request.method!, path: request.url!, headers: request.headers, body };
      const answer = receiver.answer(received, requests.length);
      requests.push(received);
      if (answer === 'hang') return;
      if (answer === 'drop') request.socket.destroy();
      else if (answer === 'drip') response.writeHead(200).write('a');
      else {
        response.writeHead(answer.status, answer.location === undefined ? {} : { location: answer.location });
        response.end(answer.body ?? '');
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const receiver: Receiver = {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: () => ({ status: 202 }),
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return receiver;
}
