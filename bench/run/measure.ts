import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';

import type { Run } from '../result/result.ts';
import { familyCpu, treeMemory } from './process-tree.ts';

/** A whole process, or a pipeline of them. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const SAMPLE_MS = 100;
const OUTPUT_KEPT = 8_000;

// The shell waits for the command as a whole and says what CPU time it and all that it waited for has used.
const WRAPPER = '"$@" 3>&-; status=$?; times >&3; exit $status';

/** A pipeline fails if any part of it does. */
export function shell(script: string, env: Command['env']): Command {
  return { file: 'bash', args: ['-ec', `set -o pipefail; ${script}`], env };
}

/**
 * Runs a command to its end and measures it from outside. Throws with what it wrote last if it fails. `looksAtMemory`: the kernel walks through
 * all pages of a process for that, which waits meanwhile.
 */
export async function measure(
  command: Command,
  postmaster: number,
  signal: AbortSignal,
  looksAtMemory = true,
): Promise<Omit<Run, 'bytes'>> {
  signal.throwIfAborted();
  const serverBefore = familyCpu(postmaster);
  const began = performance.now();
  const child = spawn('bash', ['-c', WRAPPER, 'bash', command.file, ...command.args], {
    // A group of its own, so that a pipeline can be stopped as a whole.
    detached: true,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', ...command.env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const [, stdout, stderr, times] = child.stdio as unknown as Readable[];
  const stop = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM');
  };
  signal.addEventListener('abort', stop, { once: true });
  let output = '';
  for (const stream of [stdout!, stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-OUTPUT_KEPT)));
  }
  let cpu = '';
  times!.setEncoding('utf8').on('data', (text: string) => (cpu += text));

  const highest = { processBytes: 0, treeBytes: 0 };
  const sample = (): void => {
    const { processBytes, treeBytes } = treeMemory(child.pid ?? 0);
    highest.processBytes = Math.max(highest.processBytes, processBytes);
    highest.treeBytes = Math.max(highest.treeBytes, treeBytes);
  };
  const timer = looksAtMemory ? setInterval(sample, SAMPLE_MS) : undefined;
  let ended = began;
  child.once('exit', () => (ended = performance.now()));
  try {
    const [status] = (await once(child, 'close')) as [number | null];
    signal.throwIfAborted();
    if (status !== 0) throw new Error(`${command.file} ${command.args.join(' ')} ended with ${status ?? 'a signal'}:\n${output}`);
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', stop);
  }
  return {
    seconds: (ended - began) / 1000,
    clientCpu: childrenCpu(cpu),
    serverCpu: familyCpu(postmaster) - serverBefore,
    ...highest,
  };
}

/** The second line of `times`, user and system time of all children: `1m2.345s 0m0.678s`. */
function childrenCpu(times: string): number {
  const parts = [...(times.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.]+)s/g)];
  if (parts.length !== 2) throw new Error(`the shell did not say what CPU time was used, but '${times}'`);
  return parts.reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds), 0);
}
