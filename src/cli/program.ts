import { Argument, Command, Option } from 'commander';
import { cleanups } from './cleanup.ts';
import { runCommand, withCommonOptions, type CommandLine, type CommonOptions, type RunCommand } from './command.ts';
import { completionScript, SHELLS, type Shell } from './completion.ts';
import { configCheck, configShow } from './config.ts';
import { createBackups } from './create-backup.ts';
import type { DrillRequest } from '../jobs/drill-parts.ts';
import { evidenceKeygen } from './evidence-keygen.ts';
import { evidenceVerify, type EvidenceFlags } from './evidence-verify.ts';
import { STATES, type BackupFilter } from './filter-backups.ts';
import { health } from './health.ts';
import { healthcheck } from './healthcheck.ts';
import { listRecoverable } from './list-recoverable.ts';
import { listAll } from './list-backups.ts';
import { LOG_JOBS, logs, type LogFlags } from './logs.ts';
import { monthlyDrill } from './monthly-drill.ts';
import { collect, positiveInteger, positiveNumber, timeFrom, timeTo, wholeNumber } from './option-values.ts';
import { physicalBackup } from './physical-backup.ts';
import { pin, unpin } from './pin.ts';
import { pitrDrill, type PitrDrillFlags } from './pitr-drill.ts';
import { recoverTo, type RecoverFlags } from './recover.ts';
import { notify } from './notify.ts';
import { reindex } from './reindex.ts';
import { restore, type RestoreFlags } from './restore.ts';
import { status, type StatusFlags } from './status.ts';
import { verify } from './verify.ts';
import { addWalHelp } from './wal-help.ts';

const EXIT_STATUSES = `
Exit statuses: 0 done · 1 unexpected · 2 usage or configuration · 3 incomplete · 10 source · 20 storage ·
  30 damaged or unknown backup · 40 restore refused or failed · 50 a program is missing · 60 locked ·
  70 stopped by a hook · 80 an alert was not taken · 90 the ledger · 100 a health check failed · 130 aborted
Settings come from config/*.json and the environment: docs/configuration.md.`;

/** The command line; `setStatus` is told the exit status of the command that ran. */
export function createProgram(line: CommandLine, version: string, setStatus: (status: number) => void): Command {
  const program = new Command('backup-manager')
    .description('Backs up PostgreSQL, shows what is stored, verifies it and restores it.')
    .version(version)
    .showHelpAfterError('(--help shows what there is)')
    .configureOutput({
      writeOut: (text) => void line.terminal.stdout.write(text),
      writeErr: (text) => void line.terminal.stderr.write(text),
    })
    .exitOverride()
    .addHelpText('after', EXIT_STATUSES);

  /** For the source of a backup that is named by its label. */
  const runFor = async (label: string | undefined, options: CommonOptions, command: RunCommand, needsSource = false) => {
    setStatus(await runCommand(line, { ...options, needsSource, label }, command));
  };
  /** For all sources, when none is named. */
  const runEvery = async (options: CommonOptions, needsSource: boolean, command: RunCommand) => {
    setStatus(await runCommand(line, { ...options, needsSource, everySource: true }, command));
  };
  const add = (usage: string, description: string, examples: readonly string[], under = program) =>
    withCommonOptions(under.command(usage))
      .description(description)
      .addHelpText('after', `\nExamples:\n${examples.map((example) => `  backup-manager ${example}`).join('\n')}`);

  add('create-backup', 'Make a backup now, as the schedule would.', [
    'create-backup',
    'create-backup --source shop',
    'create-backup --json | jq .label',
    'create-backup --physical                    # the base of a recovery to any instant',
  ])
    .option('--physical', 'copy the files of the whole server, as a base for point-in-time recovery')
    .action((options: CommonOptions & { physical?: boolean }) =>
      options.physical === true ? runFor(undefined, options, physicalBackup, true) : runEvery(options, true, createBackups),
    );

  add('list-backups', 'List every backup on every target, and where each is whole.', [
    'list-backups',
    'list-backups --source shop --state good --since 2026-01-01 --limit 10',
    'list-backups --target s3 --json',
    'list-backups --recoverable                  # physical backups, and the instants that can be recovered',
  ])
    .option('--recoverable', 'show to which instants can be recovered, and why not to more')
    .addOption(new Option('--state <state>', 'only those in this state; `good`: complete or incomplete').choices(STATES))
    .option('--since <time>', 'only those begun since then', timeFrom)
    .option('--until <time>', 'only those begun until then (a day: to its end)', timeTo)
    .option('--target <name>', 'only those that this target holds whole')
    .option('--limit <count>', 'at most so many, the newest', wholeNumber)
    .action((options: CommonOptions & BackupFilter & { recoverable?: boolean }) =>
      options.recoverable === true
        ? runFor(undefined, options, (context) => listRecoverable(context, options.target))
        : runEvery(options, false, (context) => listAll(context, options)),
    );

  add('verify', 'Re-read every byte of a backup and check it against its manifest and itself.', [
    'verify',
    'verify backup_shop_20260101_020000',
    'verify latest --target s3',
  ])
    .argument('[label]', 'label or file name; the newest complete backup by default')
    .option('--target <name>', 'only the copy on this target')
    .action((label: string | undefined, options: CommonOptions & { target?: string }) =>
      runFor(label, options, (context) => verify(context, label ?? '', options.target)),
    );

  add('restore', 'Restore a backup, or a dump that something else made, into a new database.', [
    'restore                                     # the newest into <database>_restored',
    'restore latest shop_staging --replace       # the database that is there is kept under another name',
    'restore backup_shop_20260101_020000 shop_old --target s3',
    'restore latest shop --table public.orders   # the rows of one table',
    'restore --at 2026-01-31T14:05:00Z shop_then # as it was at that instant',
    'restore /tmp/old.dump shop_old              # pg_dump: SQL, .gz, custom, directory, tar',
  ])
    .argument('[file]', 'label, file name, path, or `latest`, which is the default')
    .argument('[database]', 'name of the database to make; <database>_restored by default')
    .option('--at <time>', 'as it was at this instant, by point-in-time recovery; with a time, only a database is named')
    .option('--replace', 'take the place of a database that holds something; it is kept under another name')
    .option('--table <name>', 'only this table (schema.name), into an existing database')
    .option('--as <name>', 'with --table: under this name')
    .option('--append', 'with --table: add to the rows that are there')
    .option('--jobs <count>', 'connections that load rows and build indexes', positiveInteger)
    .option('--keep-on-failure', 'keep a half-filled database for inspection')
    .option('--no-analyze', 'do not gather statistics at the end')
    .option('--target <name>', 'read from this target only')
    .action((file: string | undefined, database: string | undefined, options: CommonOptions & RestoreFlags) =>
      runFor(file, options, (context) => restore(context, file ?? '', database ?? '', options)),
    );

  add('recover', 'Make a data directory that recovers to any instant since a physical backup.', [
    'recover --to 2026-01-31T14:05:00Z --into /var/lib/postgresql/recovered',
    'recover --to latest --into /var/lib/postgresql/recovered --target s3 --start',
    'recover --to 16/B374D848 --plan             # what it would fetch, and how long it may take',
  ])
    .option('--to <target>', 'a time with its zone, a place in the WAL, `latest` (the default), or `immediate`')
    .option('--delta', 'bring a stopped data directory of that server back in place: only what differs is written')
    .option('--xid <number>', 'to the end of this transaction')
    .option('--name <name>', 'to this restore point (pg_create_restore_point)')
    .option('--into <folder>', 'the new data directory: empty, or not there yet')
    .option('--timeline <number>', 'along this timeline; the newest by default', positiveNumber)
    .option('--base <label>', 'from this physical backup; by default the newest from which the target can be reached')
    .option('--start', 'start a server on it, wait until it has come to the target, and say how far that is')
    .option('--pause', 'let the server wait at the target, instead of opening it for writing')
    .option('--plan', 'only show what it would use')
    .option('--target <name>', 'read from this target only')
    .action((options: CommonOptions & RecoverFlags) => runFor(undefined, options, (context) => recoverTo(context, options)));

  addWalHelp(program);

  add('monthly-drill', 'Restore the newest backup into a throw-away server and prove that it equals its source.', [
    'monthly-drill',
    'monthly-drill --from local --thorough      # both ways: by the engine, and by gunzip and psql alone',
    'monthly-drill --label backup_shop_20260101_020000 --json',
    'monthly-drill --pitr                       # recovers to a random instant, and to the newest',
  ])
    .option('--label <label>', 'this backup; the newest by default')
    .option('--database <name>', 'the newest backup of this database')
    .option('--from <target>', 'from this target; the first that is not on this machine by default')
    .option('--thorough', 'restore both ways, not only the one whose turn it is')
    .option('--pitr', 'drill point-in-time recovery instead')
    .option('--seed <text>', 'with --pitr: chooses the instant; that of a report chooses the same again')
    .option('--at <time>', 'with --pitr: this instant')
    .action((options: CommonOptions & DrillRequest & PitrDrillFlags) =>
      runFor(options.label, options, (context) =>
        options.pitr === true ? pitrDrill(context, options) : monthlyDrill(context, options),
      ),
    );

  add('reindex', 'Rebuild the lost manifest of a whole dump from the dump itself.', [
    'reindex backup_shop_20260101_020000',
    'reindex /backups/full/backup_shop_20260101_020000.sql.gz',
  ])
    .argument('<file>', 'label, file name or path of the dump')
    .option('--target <name>', 'only on this target')
    .action((file: string, options: CommonOptions & { target?: string }) =>
      runFor(file, options, (context) => reindex(context, file, options.target)),
    );

  add('cleanup', 'Remove the backups that the retention does not keep, as the schedule would, and re-read some of what stays.', [
    'cleanup --dry-run                 # what would go and what would stay, with the reasons',
    'cleanup',
    'cleanup --dry-run --json | jq \'.backups[] | select(.action == "remove") | .label\'',
  ])
    .option('--dry-run', 'only show what would go and what would stay, each with its reasons')
    .action((options: CommonOptions & { dryRun?: boolean }) =>
      runEvery(options, true, (context) => cleanups(context, options.dryRun === true)),
    );

  add('pin', 'Keep a backup, whatever the retention says, until it is unpinned.', [
    'pin backup_shop_20260101_020000 --reason "before the migration"',
    'pin latest',
  ])
    .argument('<label>', 'label or file name, or `latest`')
    .option('--reason <text>', 'shown wherever it is said that the backup stays')
    .action((label: string, options: CommonOptions & { reason?: string }) =>
      runFor(label, options, (context) => pin(context, label, options.reason)),
    );

  add('unpin', 'Let the retention decide again about a backup that was pinned.', ['unpin backup_shop_20260101_020000'])
    .argument('<label>', 'label or file name')
    .action((label: string, options: CommonOptions) => runFor(label, options, (context) => unpin(context, label)));

  add('notify', 'Show who is told of problems, what stands and what was not delivered; or send a test.', [
    'notify',
    'notify --test                     # to every channel; ends with 80 unless all of them take it',
  ])
    .option('--test', 'send a test to every channel')
    .action((options: CommonOptions & { test?: boolean }) => runEvery(options, false, (context) => notify(context, options)));

  add('status', 'Show on one screen whether backups can be made and restored.', ['status --all    # a line for each source'])
    .option('--all', 'a line for each source and each problem, however many there are')
    .action((options: CommonOptions & StatusFlags) => runEvery(options, false, (context) => status(context, options)));

  add(
    'health',
    'Look at everything that backups need: server, programs, targets, age, proof, room. Ends with 100 when a check fails.',
    ['health', 'health --json | jq -r \'.sources[].checks[] | select(.verdict != "ok") | "\\(.check): \\(.says)"\''],
  ).action((options: CommonOptions) => runEvery(options, true, health));

  add('healthcheck', 'For the health check of a container: 0 when every source is fresh, otherwise 1. Asks nobody.', [
    'healthcheck',
    'healthcheck --live                # only whether the daemon lives',
  ])
    .option('--live', 'only whether the daemon lives')
    .action(async (options: CommonOptions & { live?: boolean }) => {
      const { env, configDirectory, terminal } = line;
      const { live = false, json = false, source } = options;
      const print = (text: string) => void terminal.stdout.write(`${text}\n`);
      setStatus(await healthcheck({ env, configDirectory, live, json, source, print }));
    });

  add('logs', 'Show the last reports of a job and the last lines that the daemon logged.', [
    'logs',
    'logs backup',
    'logs restore --lines 200            # the restore drill',
    'logs --follow',
  ])
    .addArgument(new Argument('[job]', 'of this job only').choices(Object.keys(LOG_JOBS)))
    .option('--follow', 'go on with the lines that come')
    .option('--lines <count>', 'how many lines of the log; 50 by default', wholeNumber)
    .option('--reports <count>', 'how many reports; 10 by default', wholeNumber)
    .action((job: string | undefined, options: CommonOptions & LogFlags) =>
      runEvery(options, false, (context) => logs(context, job, options)),
    );

  program
    .command('completion')
    .description('Print a script that makes a shell complete commands and options.')
    .addArgument(new Argument('<shell>', 'for which shell').choices(SHELLS))
    .addHelpText(
      'after',
      '\nExamples:\n  source <(backup-manager completion bash)\n  backup-manager completion fish >~/.config/fish/completions/backup-manager.fish',
    )
    .action((shell: Shell) => {
      line.terminal.stdout.write(completionScript(program, shell));
      setStatus(0);
    });

  const config = program.command('config').description('What is configured, and whether it is whole: docs/configuration.md.');
  const configOptions = ({ env, configDirectory }: CommandLine) => ({ env, configDirectory });
  add(
    'check',
    'Check the configuration as the daemon does at its start. Asks no server and no target.',
    ['config check'],
    config,
  ).action(({ json = false }: CommonOptions) => setStatus(configCheck(configOptions(line), line.terminal, json)));
  add(
    'show',
    'Show every setting as it holds and where it comes from; secrets are masked.',
    ['config show', 'config show --changed'],
    config,
  )
    .option('--changed', 'only those that are not as they come')
    .action(({ json = false, changed = false }: CommonOptions & { changed?: boolean }) =>
      setStatus(configShow(configOptions(line), line.terminal, json, changed)),
    );

  const evidence = program.command('evidence').description('The signed ledger of what ran and what did not: docs/evidence.md.');
  add(
    'keygen',
    'Make a key that signs entries; prints the public half.',
    ['evidence keygen /run/secrets/evidence.pem >evidence.pub'],
    evidence,
  )
    .argument('<file>', 'where the private key goes; never one that exists')
    .action((file: string, options: CommonOptions) => runEvery(options, false, (context) => evidenceKeygen(context, file)));

  add(
    'verify',
    'Check the ledger, its signatures, the reports that it names and that no slot of the schedule lacks its entry.',
    [
      'evidence verify --public-key evidence.pub',
      'evidence verify --public-key evidence.pub --from 2026-01-01 --to 2026-03-31',
      'evidence verify --against-targets          # the heads on the targets, too',
    ],
    evidence,
  )
    .option('--public-key <file>', 'of the key that signed, in PEM; may be given several times', collect)
    .option('--from <time>', 'only entries and slots since then', timeFrom)
    .option('--to <time>', 'only entries and slots until then (a day: to its end)', timeTo)
    .option('--folder <path>', 'where ledger.jsonl and the reports are')
    .option('--against-targets', 'compare with the heads on every target')
    .action((options: CommonOptions & EvidenceFlags) => runEvery(options, false, (context) => evidenceVerify(context, options)));

  return program;
}
