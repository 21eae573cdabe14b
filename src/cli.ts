#!/usr/bin/env node
// `backup-manager`: the parts of the daemon, one command at a time.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { processEnvironment } from './config.ts';
import { BackupError } from './errors.ts';

const interrupt = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    // The second time somebody does not want to wait; what is left is swept by the next run.
    if (interrupt.signal.aborted) process.exit(130);
    process.stderr.write(`\n${name}: cleaning up. Once more to end at once.\n`);
    interrupt.abort(new BackupError('ABORTED', `stopped by ${name}`));
  });
}
// A reader that has seen enough (`| head`) or a terminal that is gone is no failure of ours, and no reason to stop half-way: the
// exit status stays that of the command.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });
}

const options = { env: processEnvironment(), configDirectory: fileURLToPath(new URL('../config', import.meta.url)) };
const args = process.argv.slice(2);
if (args[0] === 'healthcheck' && args.slice(1).every((each) => each === '--live' || each === '--json')) await quickCheck();
else if ((args[0] === 'wal-push' || args[0] === 'wal-fetch') && !args.includes('--help')) await quickWal(args[0]);
else await runProgram();

/** A container asks every half minute: without loading what the other commands need. */
async function quickCheck(): Promise<void> {
  const { healthcheck } = await import('./cli/healthcheck.ts');
  const print = (text: string) => void process.stdout.write(`${text}\n`);
  process.exitCode = await healthcheck({ ...options, live: args.includes('--live'), json: args.includes('--json'), print });
}

/** PostgreSQL calls it for every segment of WAL. */
async function quickWal(command: 'wal-push' | 'wal-fetch'): Promise<void> {
  const { walCommand } = await import('./cli/wal-command.ts');
  const tell = (text: string) => void process.stderr.write(`${text}\n`);
  process.exitCode = await walCommand({ ...options, command, args: args.slice(1), signal: interrupt.signal, tell });
}

async function runProgram(): Promise<void> {
  const { CommanderError } = await import('commander');
  const { createProgram } = await import('./cli/program.ts');
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  const terminal = { stdout: process.stdout, stderr: process.stderr };
  const program = createProgram({ ...options, terminal, signal: interrupt.signal }, version, (status) => {
    process.exitCode = status;
  });
  try {
    await program.parseAsync();
  } catch (error) {
    // Commander has said it already: help and version end with 0, everything else is a mistake in the command line.
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  }
}
