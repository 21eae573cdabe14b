import { describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { runProgram, type RunProgramOptions } from '../../../src/postgres/run-program.ts';
import { isRunning } from '../../support/is-running.ts';

const sh = async (script: string, options: RunProgramOptions = {}) => await runProgram('/bin/sh', ['-c', script], options);

async function output(script: string, options: RunProgramOptions = {}): Promise<string> {
  const chunks: Buffer[] = [];
  await sh(script, { ...options, stdout: (chunk) => void chunks.push(chunk) });
  return Buffer.concat(chunks).toString();
}

async function* pieces(count: number, bytes: number): AsyncGenerator<Buffer> {
  for (let i = 0; i < count; i += 1) yield Buffer.alloc(bytes, 'x');
}

test('a program that ends well gives its warnings', async () => {
  expect(await sh('echo careful >&2')).toEqual({ stderr: 'careful\n', exitStatus: 0 });
});

test('everything written is handed over, in order, before the end is reported', async () => {
  const text = await output('i=0; while [ $i -lt 2000 ]; do echo $i; i=$((i+1)); done');
  expect(text.trim().split('\n').map(Number)).toEqual(Array.from({ length: 2000 }, (_, i) => i));
});

test('input is fed and ended', async () => {
  expect((await output('wc -c', { stdin: pieces(50, 100_000) })).trim()).toBe('5000000');
});

test('the source may use the memory of a piece again when it is asked for the next', async () => {
  const memory = Buffer.alloc(10_000);
  async function* source(): AsyncGenerator<Buffer> {
    for (let i = 0; i < 100; i += 1) yield memory.fill(i);
  }
  // More than the kernel takes at once, of a program that begins late.
  const bytes: Buffer[] = [];
  await sh('sleep 0.3; cat', { stdin: source(), stdout: (chunk) => void bytes.push(chunk) });
  expect(Buffer.concat(bytes).equals(Buffer.concat(Array.from({ length: 100 }, (_, i) => Buffer.alloc(10_000, i))))).toBe(true);
});

test('a reader that takes its time holds the program back', async () => {
  let taken = 0;
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const produced: number[] = [];
  async function* source(): AsyncGenerator<Buffer> {
    for (let i = 0; i < 400; i += 1) {
      produced.push(i);
      yield Buffer.alloc(65_536);
    }
  }
  const run = runProgram('/bin/cat', [], {
    stdin: source(),
    stdout: async (chunk) => {
      taken += chunk.length;
      await gate;
    },
  });
  // 26 MB are on offer: pipes and buffers hold some hundred KiB, then nothing moves any more.
  let seen = -1;
  while (produced.length !== seen) {
    seen = produced.length;
    await sleep(100);
  }
  expect(produced.length).toBeLessThan(100);
  open();
  await run;
  expect(taken).toBe(400 * 65_536);
});

test('a program that does not want all of its input is not an error', async () => {
  await expect(sh('exit 0', { stdin: pieces(1000, 100_000) })).resolves.toMatchObject({ exitStatus: 0 });
});

describe('failures', () => {
  test('an exit status is reported with the end of what the program said', async () => {
    await expect(
      sh('i=0; while [ $i -lt 50 ]; do echo line $i >&2; i=$((i+1)); done; exit 3', { name: 'thing' }),
    ).rejects.toMatchObject({
      code: 'CLIENT_PROGRAM_FAILED',
      message: expect.stringMatching(/^thing ended with exit status 3: line 38\n[^]*line 49$/),
    });
  });

  test('so is a signal from outside', async () => {
    await expect(sh('kill -KILL $$')).rejects.toMatchObject({
      code: 'CLIENT_PROGRAM_FAILED',
      message: 'sh was killed by SIGKILL',
      hint: expect.stringContaining('memory'),
    });
  });

  test('a program that is not there is missing, not failed', async () => {
    await expect(runProgram('/nonexistent/pg_dump', [])).rejects.toMatchObject({ code: 'CLIENT_PROGRAM_MISSING' });
  });

  test('an error of the reader ends the program and is thrown as it is', async () => {
    const error = new Error('disk full');
    let pid = 0;
    const run = sh('echo $$; while :; do echo x; done', {
      stdout: (chunk) => {
        pid ||= Number.parseInt(chunk.toString(), 10);
        throw error;
      },
    });
    await expect(run).rejects.toBe(error);
    expect(isRunning(pid)).toBe(false);
  });

  test('an error of the input ends the program and is thrown as it is', async () => {
    const error = new Error('damaged');
    async function* source(): AsyncGenerator<Buffer> {
      yield Buffer.from('a');
      throw error;
    }
    await expect(sh('cat >/dev/null; sleep 600', { stdin: source() })).rejects.toBe(error);
  });
});

describe('an abort', () => {
  test('before the start starts nothing', async () => {
    let ran = false;
    const run = sh('echo x', { signal: AbortSignal.abort(), stdout: () => void (ran = true) });
    await expect(run).rejects.toMatchObject({ code: 'ABORTED' });
    expect(ran).toBe(false);
  });

  test('ends the program before it is reported, though the input waits for ever', async () => {
    const controller = new AbortController();
    let pid = 0;
    async function* source(): AsyncGenerator<Buffer> {
      yield Buffer.from('a');
      await new Promise(() => undefined);
    }
    const run = sh('echo $$; exec cat >/dev/null', {
      signal: controller.signal,
      stdin: source(),
      stdout: (chunk) => {
        pid = Number.parseInt(chunk.toString(), 10);
        controller.abort();
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'ABORTED' });
    expect(isRunning(pid)).toBe(false);
  });

  test('kills a program that ignores the request to end', async () => {
    const controller = new AbortController();
    let pid = 0;
    const run = sh("trap '' TERM; echo $$; while :; do sleep 0.1; done", {
      signal: controller.signal,
      stdout: (chunk) => {
        pid = Number.parseInt(chunk.toString(), 10);
        controller.abort();
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'ABORTED' });
    expect(isRunning(pid)).toBe(false);
  }, 30_000);
});

test('the program sees what it is given and nothing of our own environment', async () => {
  process.env['SOME_SECRET_OF_OURS'] = 'hunter22';
  try {
    const names = (await output('env', { env: { PGHOST: 'there' } })).split('\n').map((line) => line.split('=')[0]);
    expect(names).toEqual(expect.arrayContaining(['PGHOST', 'PATH', 'LC_ALL']));
    expect(names).not.toContain('SOME_SECRET_OF_OURS');
  } finally {
    delete process.env['SOME_SECRET_OF_OURS'];
  }
});

const hasSetpriv = existsSync('/usr/bin/setpriv');
if (!hasSetpriv) console.warn('not run: no setpriv here (util-linux), children end with us only when they read or write');

(hasSetpriv ? test : test.skip)(
  'a program ends when our process is killed, though it neither reads nor writes',
  async () => {
    const module = new URL('../../../src/postgres/run-program.ts', import.meta.url).href;
    const script = `
      import { runProgram } from ${JSON.stringify(module)};
      const stdout = (chunk) => console.log(chunk.toString().trim());
      await runProgram('/bin/sh', ['-c', 'echo $$; exec sleep 600'], { stdout });
    `;
    const child = spawn(process.execPath, ['--input-type=module', '--no-warnings', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const { value } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
    const pid = Number(value);
    expect(isRunning(pid)).toBe(true);
    child.kill('SIGKILL');
    while (isRunning(pid)) await sleep(20);
  },
  30_000,
);
