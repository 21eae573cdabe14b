import type { Command } from 'commander';
import { assembleAll, type Parts, type Program } from '../assemble.ts';
import { systemClock, type Clock } from '../clock.ts';
import { loadConfigs, type Config, type Configs, type LoadConfigOptions } from '../config.ts';
import { parseDumpName } from '../catalog/names.ts';
import { CODECS } from '../codec/codec.ts';
import { chooseSource, covers, nameOfDatabase } from '../config/choose-source.ts';
import { BackupError, toBackupError } from '../errors.ts';
import { createLog, type Log } from '../log.ts';
import { errorReport } from '../report/backup-report.ts';
import type { Storage } from '../storage/storage.ts';
import { errorBlock } from './error-block.ts';
import { createProgressBar, silentProgress, type ProgressBar } from './progress-bar.ts';
import { printJson, printLines, type Terminal } from './terminal.ts';

/** What the process gives to the commands. */
export interface CommandLine {
  readonly terminal: Terminal;
  readonly env: LoadConfigOptions['env'];
  readonly configDirectory: string;
  /** Aborted by the first interrupt. */
  readonly signal: AbortSignal;
  /** Targets beside those of the configuration. */
  readonly moreTargets?: readonly Storage[];
}

export interface CommonOptions {
  readonly json?: boolean;
  readonly verbose?: boolean;
  /** Name of one of several sources. */
  readonly source?: string;
}

/** What one command works with. */
export interface CommandContext {
  readonly program: Program;
  /** Of the source that the command is for. */
  readonly parts: Parts;
  readonly config: Config;
  /** Of the sources that were asked for: the named one, otherwise all. */
  readonly chosen: readonly Parts[];
  readonly terminal: Terminal;
  readonly json: boolean;
  readonly progress: ProgressBar;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly clock: Clock;
  /** The result: a value for `--json` (once; if the command then throws, its `error` is added), lines for people. */
  readonly print: (value: object, lines: readonly string[]) => void;
  /** Something a person should know beside the result; on standard error. */
  readonly note: (text: string) => void;
}

/** Ends with an exit status: 0 only when what was asked for was done. Failures are thrown. */
export type RunCommand = (context: CommandContext) => Promise<number>;

export function withCommonOptions(command: Command): Command {
  return command
    .option('--source <name>', 'which of the configured sources; needed when there are several')
    .option('--json', 'print JSON on standard output')
    .option('--verbose', 'log to standard error; show stack traces');
}

/** Runs one command with the configured parts and returns its exit status; a failure becomes one block of text. */
export async function runCommand(
  line: CommandLine,
  options: CommonOptions & {
    readonly needsSource: boolean;
    /** The command is for all sources when none is named. */
    readonly everySource?: boolean;
    /** A backup that was named: its source is the one that is meant. */
    readonly label?: string | undefined;
  },
  run: RunCommand,
): Promise<number> {
  const { terminal, signal } = line;
  const json = options.json ?? false;
  const verbose = options.verbose ?? false;
  let redact = (text: string) => text;
  // Printed at the end, so that there is one document whatever happens.
  let document: object = {};
  let program: Program | undefined;
  const progress = json ? silentProgress : createProgressBar(terminal.stderr);
  try {
    const { env, configDirectory } = line;
    const configs = loadConfigs({ env, configDirectory, sourceRequired: options.needsSource });
    redact = configs.shared.redact;
    const every = options.everySource === true && options.source === undefined;
    const config = every ? configs.sources[0]! : chooseOne(configs, options);
    program = assembleAll(configs, line.moreTargets ? { moreTargets: line.moreTargets } : {});
    const parts = program.sources[configs.sources.indexOf(config)] ?? program.of(config);
    const log = createLog(verbose ? config.log.level : 'silent', { redact, destination: terminal.stderr });
    const status = await run({
      ...{ program, parts, config, chosen: every ? program.sources : [parts] },
      ...{ terminal, json, progress, signal, log, clock: systemClock },
      print: (value, lines) => {
        if (json) document = value;
        else printLines(terminal.stdout, lines.map(redact));
      },
      note: (text) => printLines(terminal.stderr, redact(text).split('\n')),
    });
    progress.end(status === 0 ? 'done' : 'failed');
    if (json) printJson(terminal.stdout, document);
    return status;
  } catch (thrown) {
    progress.end('failed');
    // An abort may come out as any failure. One that says so itself also says what was left behind.
    const own = toBackupError(thrown);
    const error = signal.aborted && own.code !== 'ABORTED' ? toBackupError(signal.reason) : own;
    if (json) {
      const { code, message, hint } = errorReport(error);
      printJson(terminal.stdout, {
        ...document,
        error: { code, message: redact(message), ...(hint === undefined ? {} : { hint: redact(hint) }) },
      });
    }
    printLines(terminal.stderr, errorBlock(error, { verbose, redact }).split('\n'));
    return error.exitStatus;
  } finally {
    program?.close();
  }
}

function chooseOne(
  { sources }: Configs,
  {
    source,
    label,
    everySource,
  }: { readonly source?: string; readonly label?: string | undefined; readonly everySource?: boolean },
): Config {
  const named = label === undefined ? undefined : sourceOfName(label);
  const known = named !== undefined && sources.length > 1 && sources.some((config) => covers(config, named));
  const config = chooseSource({ sources }, source ?? (known ? named : undefined));
  // Where one database is meant, all of a server are not.
  if (!config.source.every || everySource === true) return config;
  const { name } = config.source;
  const own = named !== undefined && covers(config, named) ? named : undefined;
  if (own !== undefined) return chooseSource({ sources: [config] }, own);
  throw new BackupError('USAGE', `${name} stands for every database of a server`, {
    hint: `Name one of them: --source ${nameOfDatabase(name, '<database>')}.`,
  });
}

/** The source in a label, a file name or a path; `undefined` when it is none of ours. */
function sourceOfName(text: string): string | undefined {
  return (parseDumpName(text) ?? parseDumpName(`${text}${CODECS.gzip.extension}`))?.source;
}
