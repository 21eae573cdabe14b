import { spawn, type ChildProcess } from 'node:child_process';
import { constants, realpathSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';

import { BackupError } from '../errors.ts';

export interface RunProgramOptions {
  /** Added to a minimal environment; nothing of our own environment (which holds secrets) is passed on. */
  readonly env?: Readonly<Record<string, string>>;
  /** A piece is in the kernel's hands, and its memory the source's again, when the next one is asked for. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** Takes the output as it comes; the program is held back while a returned promise is pending. */
  readonly stdout?: (chunk: Buffer) => void | Promise<void>;
  readonly signal?: AbortSignal;
  /** How the program is called in messages; by default its file name. */
  readonly name?: string;
}

/** How long a program may take to end after SIGTERM. */
const TERMINATE_MS = 5_000;
/** How much of the error output is kept; programs that fail say why last. */
const STDERR_CHARACTERS = 64 * 1024;
const MESSAGE_LINES = 12;

/**
 * Where util-linux has it: the kernel ends the child when we die, even by SIGKILL. Elsewhere a child notices only when it
 * next reads from us or writes to us.
 */
const SETPRIV = '/usr/bin/setpriv';

/**
 * Runs a program to its end and returns what it wrote to standard error (warnings).
 * Throws CLIENT_PROGRAM_FAILED when it ends with anything but 0, the error of `stdin` or `stdout` when one of them
 * throws, ABORTED by the signal; in every case the program is gone before this returns.
 * Arguments are public on most systems: secrets go into `env`.
 */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: RunProgramOptions = {},
): Promise<{ stderr: string; exitStatus: 0 }> {
  const name = options.name ?? basename(file);
  const { signal } = options;
  if (file.includes('/')) {
    await access(file, constants.X_OK).catch((cause: unknown) => {
      throw startFailure(name, file, cause as Error);
    });
  }
  if (signal?.aborted === true) throw aborted(name, signal);

  const child = start(file, args, options);
  const exit = waitForExit(child);
  let failure: { error: unknown } | undefined;
  const terminate = (error: unknown): void => {
    failure ??= { error };
    stop(child);
  };
  const onAbort = (): void => terminate(aborted(name, signal));
  signal?.addEventListener('abort', onAbort, { once: true });

  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_CHARACTERS);
  });

  try {
    const work = [
      child.stderr === null ? undefined : finished(child.stderr).catch(() => undefined),
      child.stdout === null ? undefined : drain(child.stdout, options.stdout).catch(terminate),
      options.stdin === undefined || child.stdin === null ? undefined : feed(child.stdin, options.stdin).catch(terminate),
    ];
    const { code, killedBy, spawnError } = await exit;
    // A source that still waits for its next piece would never learn that nobody reads any more.
    child.stdin?.destroy();
    if (spawnError !== undefined) throw startFailure(name, file, spawnError);
    if (failure === undefined) await Promise.all([work[0], work[1]]);
    if (failure !== undefined) throw failure.error;
    if (code !== 0) throw programFailure(name, code, killedBy, stderr);
    await work[2];
    return { stderr, exitStatus: 0 };
  } finally {
    signal?.removeEventListener('abort', onAbort);
    child.stdout?.destroy();
    child.stderr?.destroy();
  }
}

function start(file: string, args: readonly string[], { env, stdin, stdout }: RunProgramOptions): ChildProcess {
  const [command, commandArgs] = hasSetpriv() ? [SETPRIV, ['--pdeathsig', 'TERM', '--', file, ...args]] : [file, [...args]];
  return spawn(command, commandArgs, {
    // Messages in English, whatever the machine speaks: some are recognised by their text.
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', ...env },
    stdio: [stdin === undefined ? 'ignore' : 'pipe', stdout === undefined ? 'ignore' : 'pipe', 'pipe'],
    // A group of its own: Ctrl-C is for us, who end the program in order and know that it was no failure of its own.
    detached: true,
  });
}

/** BusyBox has a program of this name that cannot do it. */
function hasSetpriv(): boolean {
  try {
    return basename(realpathSync(SETPRIV)) === 'setpriv';
  } catch {
    return false;
  }
}

interface Exit {
  readonly code: number | null;
  readonly killedBy: NodeJS.Signals | null;
  readonly spawnError?: Error;
}

function waitForExit(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('error', (spawnError) => {
      if (child.pid === undefined) resolve({ code: null, killedBy: null, spawnError });
    });
    child.once('exit', (code, killedBy) => resolve({ code, killedBy }));
  });
}

function stop(child: ChildProcess): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const forced = setTimeout(() => child.kill('SIGKILL'), TERMINATE_MS);
  child.once('exit', () => clearTimeout(forced));
}

async function drain(output: Readable, take: RunProgramOptions['stdout']): Promise<void> {
  for await (const chunk of output as AsyncIterable<Buffer>) await take?.(chunk);
}

/** Ends quietly when the program closed its input early: why it did is in its exit status and error output. */
async function feed(input: Writable, source: AsyncIterable<Uint8Array>): Promise<void> {
  // One resolver at a time, and not a race with one long-lived promise, which would remember every piece.
  let giveUp: () => void = () => undefined;
  input.on('error', () => undefined).once('close', () => giveUp());
  const unlessClosed = async <T>(wait: Promise<T>): Promise<T | undefined> =>
    await new Promise((resolve, reject) => {
      giveUp = () => resolve(undefined);
      if (input.destroyed) giveUp();
      wait.then(resolve, reject);
    });

  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await unlessClosed(iterator.next());
      if (next === undefined || next.done === true) break;
      await unlessClosed(new Promise((resolve) => input.write(next.value, () => resolve(true))));
    }
    input.end();
  } finally {
    // Not awaited: a source stuck in its own wait would hold up the end of a program that is already gone.
    void iterator.return?.().catch(() => undefined);
  }
}

function aborted(name: string, signal: AbortSignal | undefined): BackupError {
  return new BackupError('ABORTED', `${name} was aborted`, { cause: signal?.reason });
}

function startFailure(name: string, file: string, cause: Error): BackupError {
  return new BackupError('CLIENT_PROGRAM_MISSING', `cannot start ${name}: ${file}: ${cause.message}`, {
    cause,
    hint: 'Check that the program is installed and that the account of the backup may execute it.',
  });
}

function programFailure(name: string, code: number | null, killedBy: NodeJS.Signals | null, stderr: string): BackupError {
  const how = killedBy === null ? `ended with exit status ${code}` : `was killed by ${killedBy}`;
  const tail = stderr.trimEnd().split('\n').slice(-MESSAGE_LINES).join('\n');
  return new BackupError('CLIENT_PROGRAM_FAILED', `${name} ${how}${tail === '' ? '' : `: ${tail}`}`, {
    hint:
      killedBy === 'SIGKILL'
        ? 'Something killed it from outside; when memory ran out, the kernel log says so.'
        : `The lines above are what ${name} wrote last. Nothing of its work is kept.`,
  });
}
