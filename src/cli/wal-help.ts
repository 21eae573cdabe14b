import type { Command } from 'commander';

const WAL_COMMANDS = [
  [
    'wal-push <path>',
    'For archive_command: store a file of WAL on every target; ends with 0 once it is durable there.',
    "archive_command = 'backup-manager wal-push %p'",
  ],
  [
    'wal-fetch <file> <path>',
    'For restore_command: bring a file of WAL. Ends with 1 when there is none, with 126 when that cannot be said.',
    "restore_command = 'backup-manager wal-fetch %f %p'",
  ],
] as const;

/** What PostgreSQL calls, for help and completion only: `cli.ts` runs them, without loading the other commands. */
export function addWalHelp(program: Command): void {
  for (const [usage, description, setting] of WAL_COMMANDS) {
    program
      .command(usage)
      .description(description)
      .option('--source <name>', 'which of the configured sources; needed when there are several')
      .addHelpText('after', `\nExamples:\n  ${setting}`);
  }
}
