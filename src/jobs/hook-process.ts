import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { BackupError } from '../errors.ts';

export interface HookRun {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

/** Between SIGTERM and SIGKILL. */
const KILL_MS = 2000;
/** Of its output that is taken; the rest is read and dropped, so that it is not held up. */
const LINES = 500;
const LINE_CHARACTERS = 2000;

/**
 * Runs a hook to its end, with nothing in its environment but `env` and a plain PATH. Throws `HOOK_FAILED` when it ends with
 * anything but 0 or not in time. When this returns, its whole process group is gone: what a hook starts in the background
 * does not outlive it.
 */
export async function runHook({ path, env, timeoutMs, signal, onLine }: HookRun): Promise<void> {
  signal.throwIfAborted();
  // A group of its own, so that a time-out reaches what the hook started, and Ctrl-C does not.
  const child = spawn(path, [], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    cwd: '/',
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', ...env },
  });
  const killGroup = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // ESRCH: nobody of it is left.
    }
  };
  let why: BackupError | undefined;
  let forced: NodeJS.Timeout | undefined;
  const stop = (reason: BackupError): void => {
    why ??= reason;
    killGroup('SIGTERM');
    forced ??= setTimeout(() => killGroup('SIGKILL'), KILL_MS);
  };
  const timer = setTimeout(() => stop(hookFailed(`the hook ${path} did not end within ${timeoutMs / 1000} s`)), timeoutMs);
  const onAbort = (): void => stop(new BackupError('ABORTED', `the hook ${path} was aborted`, { cause: signal.reason }));
  signal.addEventListener('abort', onAbort, { once: true });
  let lines = 0;
  const take = (line: string): void => {
    lines += 1;
    if (lines < LINES) onLine(line.slice(0, LINE_CHARACTERS));
    else if (lines === LINES) onLine('(more lines follow; they are not logged)');
  };
  const output = [child.stdout, child.stderr].map((stream) => readLines(stream, take));
  try {
    const [code, killedBy] = (await once(child, 'exit').catch((cause: unknown) => {
      throw hookFailed(`the hook ${path} cannot be started: ${(cause as Error).message}`, cause);
    })) as [number | null, NodeJS.Signals | null];
    // Whatever of it still holds our pipes would keep us waiting.
    killGroup('SIGKILL');
    await Promise.all(output);
    if (why) throw why;
    if (code !== 0)
      throw hookFailed(`the hook ${path} ${code === null ? `was killed by ${killedBy ?? ''}` : `ended with status ${code}`}`);
  } finally {
    clearTimeout(timer);
    clearTimeout(forced);
    signal.removeEventListener('abort', onAbort);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

async function readLines(stream: Readable, take: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) take(line);
}

function hookFailed(message: string, cause?: unknown): BackupError {
  return new BackupError('HOOK_FAILED', message, { cause, hint: 'What it wrote is in the log, under its name.' });
}
