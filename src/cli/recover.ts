import { resolve } from 'node:path';
import type { Parts } from '../assemble.ts';
import { parseLsn } from '../catalog/lsn.ts';
import { BackupError } from '../errors.ts';
import { planRecovery, recover, type RecoveryPlan } from '../jobs/recover.ts';
import { bytesText } from '../quantities.ts';
import type { RecoveryTarget } from '../wal/choose-window.ts';
import { chooseTargets } from './choose-targets.ts';
import type { CommandContext } from './command.ts';
import { factLines } from './table.ts';

export interface RecoverFlags {
  readonly to?: string;
  readonly xid?: string;
  readonly name?: string;
  readonly into?: string;
  readonly timeline?: number;
  readonly plan?: boolean;
  readonly pause?: boolean;
  readonly target?: string;
}

/** Makes a data directory that recovers to an instant, or only says what that would take. */
export async function recoverTo({ parts, signal, log, print }: CommandContext, flags: RecoverFlags): Promise<number> {
  const target = recoveryTarget(flags);
  const recovery = { ...recoverFrom(parts, flags.target), log };
  if (flags.plan !== true && flags.into === undefined) {
    throw new BackupError('USAGE', 'nothing says where to recover to', {
      hint: 'Name a folder with --into, or look with --plan.',
    });
  }
  const request = {
    ...{ target, into: resolve(flags.into ?? '.') },
    ...(flags.timeline !== undefined && { timeline: flags.timeline }),
    ...(flags.pause === true && { action: 'pause' as const }),
  };
  if (flags.plan === true) {
    const plan = await planRecovery(recovery, request, signal);
    print(planValue(plan), ['Nothing is fetched yet. The recovery would use:', ...factLines(facts(plan))]);
    return 0;
  }
  const done = await recover(recovery, request, signal);
  print({ ...planValue(done), dataDirectory: done.dataDirectory, tablespaces: done.tablespaces }, [
    `${done.dataDirectory} is ready. A server that is started on it recovers to the target by itself:`,
    ...factLines([
      ...facts(done),
      ...Object.entries(done.tablespaces).map(([oid, path]): [string, string] => [`tablespace ${oid}`, path]),
      ['start', `pg_ctl -D ${done.dataDirectory} start`],
    ]),
    'Its configuration is that of the source: look at port, archive_command and primary_conninfo before you start it beside the source.',
  ]);
  return 0;
}

/** What is on this machine belongs to its target. */
export function recoverFrom({ recovery, targets: all }: Parts, target: string | undefined): Parts['recovery'] {
  const { incoming, ...rest } = recovery;
  const targets = chooseTargets(rest.targets, target);
  const near = incoming !== undefined && targets.includes(all[0]!);
  return { ...rest, targets, ...(near && { incoming }) };
}

function planValue({ window, wal, baseBytes, walBytes }: RecoveryPlan) {
  return { ...window, wal, baseBytes, walBytes };
}

function facts({ window, base, wal, baseBytes, walBytes }: RecoveryPlan): [string, string][] {
  return [
    ['base', `${base.manifest.label} (${bytesText(baseBytes)})`],
    ['WAL', `${wal.length} files (${bytesText(walBytes)}), timeline ${window.timeline}`],
    ['reaches', `${window.toTime ?? 'an instant that is not known'}, ${window.toLsn}`],
  ];
}

/** `--to` takes a time, a place in the WAL, `latest` or `immediate`: no two of them look alike. */
function recoveryTarget({ to, xid, name }: RecoverFlags): RecoveryTarget {
  const given = [to, xid, name].filter((value) => value !== undefined);
  if (given.length > 1) throw new BackupError('USAGE', 'only one of --to, --xid and --name can be the target', {});
  if (xid !== undefined) return { kind: 'xid', value: xid };
  if (name !== undefined) return { kind: 'name', value: name };
  if (to === undefined || to === 'latest') return { kind: 'latest' };
  if (to === 'immediate') return { kind: 'immediate' };
  if (to.includes('/')) {
    try {
      parseLsn(to);
    } catch (cause) {
      throw notATarget(to, cause);
    }
    return { kind: 'lsn', lsn: to };
  }
  const time = to.replace(/^(\d{4}-\d\d-\d\d) (?=\d)/, '$1T');
  // Without a zone it would be that of whichever machine this is: an hour off, and nobody notices.
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)$/i.test(time) || Number.isNaN(Date.parse(time))) {
    throw notATarget(to);
  }
  return { kind: 'time', time };
}

function notATarget(text: string, cause?: unknown): BackupError {
  return new BackupError('USAGE', `${JSON.stringify(text)} is no recovery target`, {
    cause,
    hint: 'A time with its zone (2026-01-31T14:05:00Z), a place in the WAL (16/B374D848), latest, or immediate.',
  });
}
