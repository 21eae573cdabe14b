#!/usr/bin/env node
// `backup-manager`: the parts of the daemon, one command at a time.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import { createProgram } from './cli/program.ts';
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

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
const program = createProgram(
  {
    terminal: { stdout: process.stdout, stderr: process.stderr },
    env: processEnvironment(),
    configDirectory: fileURLToPath(new URL('../config', import.meta.url)),
    signal: interrupt.signal,
  },
  version,
  (status) => {
    process.exitCode = status;
  },
);

try {
  await program.parseAsync();
} catch (error) {
  // Commander has said it already: help and version end with 0, everything else is a mistake in the command line.
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
