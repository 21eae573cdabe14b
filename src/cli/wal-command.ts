import { systemClock } from '../clock.ts';
import { loadConfigs, type LoadConfigOptions } from '../config.ts';
import { chooseSource } from '../config/choose-source.ts';
import { BackupError, toBackupError } from '../errors.ts';
import { incomingFolder } from '../jobs/incoming-folder.ts';
import { bringWal } from '../jobs/wal-fetch.ts';
import { pushWal } from '../jobs/wal-push.ts';
import { createTargets } from '../assemble/targets.ts';
import { errorBlock } from './error-block.ts';

export interface WalCommand extends LoadConfigOptions {
  readonly command: 'wal-push' | 'wal-fetch';
  /** What follows it on the command line. */
  readonly args: readonly string[];
  readonly signal: AbortSignal;
  /** A line on standard error: PostgreSQL has it in its log. */
  readonly tell: (text: string) => void;
}

/** More costs time and gains little on WAL. */
const LEVEL = 1;
/** `restore_command`: there is no such file. */
const NOT_THERE = 1;
/** Beyond 125 PostgreSQL ends its recovery, instead of taking the WAL to be at its end: right where it cannot be said what there is. */
const FATAL = 126;

/** For `archive_command` and `restore_command`, once for each segment: it loads little. Returns the exit status. */
export async function walCommand({ command, args, signal, tell, ...options }: WalCommand): Promise<number> {
  let redact = (text: string) => text;
  try {
    const { source: named, rest } = sourceIn(args);
    const configs = loadConfigs({ ...options, sourceRequired: false });
    redact = configs.shared.redact;
    const config = chooseSource(configs, named);
    const { name } = config.source;
    const all = createTargets([], (target) => target);
    const { targets, spool } = all.of(config);
    try {
      if (command === 'wal-push') {
        const [path, ...more] = rest;
        if (path === undefined || more.length > 0) throw usage('wal-push %p');
        const { pushTargets } = config.pitr;
        const parts = { source: name, targets, codec: config.dump.codec, level: LEVEL, clock: systemClock };
        const lacking = await pushWal({ ...parts, ...(pushTargets && { required: pushTargets }) }, path, signal);
        for (const { target, error } of lacking) tell(redact(`${target} does not have it, and may lack it: ${error.message}`));
        return 0;
      }
      const [file, to, ...more] = rest;
      if (file === undefined || to === undefined || more.length > 0) throw usage('wal-fetch %f %p');
      const incoming = incomingFolder({ source: name, workFolder: config.paths.work, ...(spool && { spool }) });
      return (await bringWal({ source: name, targets, incoming }, file, to, signal)) ? 0 : NOT_THERE;
    } finally {
      all.close();
    }
  } catch (thrown) {
    const error = signal.aborted ? toBackupError(signal.reason) : toBackupError(thrown);
    tell(errorBlock(error, { redact }));
    return command === 'wal-push' ? error.exitStatus : FATAL;
  }
}

function sourceIn(args: readonly string[]): { readonly source: string | undefined; readonly rest: readonly string[] } {
  const at = args.indexOf('--source');
  if (at < 0) return { source: undefined, rest: args };
  return { source: args[at + 1], rest: [...args.slice(0, at), ...args.slice(at + 2)] };
}

function usage(how: string): BackupError {
  return new BackupError('USAGE', `use it as: backup-manager ${how}`, { hint: 'docs/pitr.md shows both.' });
}
