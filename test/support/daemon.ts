import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface Daemon {
  readonly process: ChildProcess;
  /** Its log so far. */
  readonly lines: Record<string, unknown>[];
  readonly ended: Promise<number | null>;
  /** What it wrote to standard error so far. */
  readonly errors: () => string;
  /** The first line of the log with this message, as soon as there is one. */
  logged(message: string | RegExp, matches?: Record<string, unknown>): Promise<Record<string, unknown>>;
}

/** The real daemon as a process of its own, with nothing in its environment but `env`. */
export function startDaemon(env: Record<string, string>): Daemon {
  const child = spawn(process.execPath, [MAIN], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', ...env },
  });
  const lines: Record<string, unknown>[] = [];
  let [rest, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop()!;
    lines.push(...parts.map((line) => JSON.parse(line)));
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const ended = once(child, 'close').then(([status]) => status as number | null);
  return {
    process: child,
    lines,
    ended,
    errors: () => errors,
    async logged(message, matches = {}) {
      const fits = ({ msg, ...line }: Record<string, unknown>): boolean =>
        (typeof message === 'string' ? msg === message : message.test(String(msg))) &&
        Object.entries(matches).every(([name, value]) => line[name] === value);
      for (;;) {
        const line = lines.find(fits);
        if (line) return line;
        if (child.exitCode !== null || child.signalCode !== null) {
          throw new Error(`the daemon ended with ${child.exitCode ?? child.signalCode} before "${String(message)}": ${errors}`);
        }
        await sleep(20);
      }
    },
  };
}
