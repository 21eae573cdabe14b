import { resolve } from 'node:path';
import type { Parts } from '../assemble.ts';
import { parseLsn } from '../catalog/lsn.ts';
import { BackupError } from '../errors.ts';
import { planRecovery, type RecoverRequest, type RecoveryPlan } from '../jobs/plan-recovery.ts';
import { recoverAndStart } from '../jobs/recover-start.ts';
import { recover, type Recovered } from '../jobs/recover.ts';
import { expectedTime } from '../jobs/recovery-time.ts';
import type { StartedServer } from '../postgres/start-recovered.ts';
import { measuredRates } from '../report/newest-pitr-drill.ts';
import { bytesText, secondsText } from '../quantities.ts';
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
  readonly base?: string;
  readonly delta?: boolean;
  readonly plan?: boolean;
  readonly start?: boolean;
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
  if (flags.plan === true && flags.start === true) {
    throw new BackupError('USAGE', '--plan starts nothing', { hint: 'Leave one of --plan and --start away.' });
  }
  const request: RecoverRequest = {
    ...{ target, into: resolve(flags.into ?? '.') },
    ...(flags.timeline !== undefined && { timeline: flags.timeline }),
    ...(flags.base !== undefined && { base: flags.base }),
    ...(flags.delta === true && { delta: true }),
    ...(flags.pause === true && { action: 'pause' as const }),
  };
  if (flags.plan === true) {
    const plan = await planRecovery(recovery, request, signal);
    const expected = expectedTime(plan, await measuredRates(recovery.source, parts.drillReports, signal));
    const how = expected.measured ? 'as the last drill measured it' : 'a guess: no drill has measured it';
    print({ ...planValue(plan), diskBytes: plan.diskBytes, expectedSeconds: expected.seconds, measured: expected.measured }, [
      'Nothing is fetched yet. The recovery would use:',
      ...factLines([
        ...facts(plan),
        ['room', bytesText(plan.diskBytes)],
        ['time', `about ${secondsText(expected.seconds)} (${how})`],
      ]),
    ]);
    return 0;
  }
  if (flags.start === true) {
    const done = await recoverAndStart(recovery, request, signal);
    const { server, dataDirectory, tablespaces } = done;
    print(
      { ...planValue(done), dataDirectory, tablespaces, ...keptValue(done), asked: wordsOf(target), ...serverValue(server) },
      [
        `The server on ${dataDirectory} ${server.state === 'open' ? 'has recovered and is open' : 'has recovered and pauses at the target'}.`,
        ...factLines([
          ['asked for', wordsOf(target)],
          ...reachedFacts(server),
          ...facts(done),
          ...keptFacts(done),
          ...spaceFacts(tablespaces),
          ...useFacts(done),
        ]),
        'It archives nothing and listens on that socket alone. Stop it, look at its configuration, and start it as you start any server.',
      ],
    );
    return 0;
  }
  const done = await recover(recovery, request, signal);
  print({ ...planValue(done), dataDirectory: done.dataDirectory, tablespaces: done.tablespaces, ...keptValue(done) }, [
    `${done.dataDirectory} is ready. A server that is started on it recovers to the target by itself:`,
    ...factLines([
      ...facts(done),
      ...keptFacts(done),
      ...spaceFacts(done.tablespaces),
      ['start', `pg_ctl -D ${done.dataDirectory} start`],
    ]),
    'Its configuration is that of the source: look at port, archive_command and primary_conninfo before you start it beside the source.',
  ]);
  return 0;
}

function serverValue({ state, reached, unknown, connection, pid, logFile }: StartedServer) {
  const { host, port } = connection;
  return { state, ...(reached && { reached }), ...(unknown !== undefined && { unknown }), server: { host, port, pid, logFile } };
}

function reachedFacts({ reached, unknown }: StartedServer): [string, string][] {
  if (!reached) return [['reached', `not known: ${unknown ?? 'the server was not asked'}`]];
  return [
    ['reached', reached.lsn],
    ['last transaction', reached.lastTransaction ?? 'none after the physical backup'],
    ...(reached.timeline === undefined ? [] : ([['new timeline', String(reached.timeline)]] as [string, string][])),
  ];
}

function useFacts({
  dataDirectory,
  server,
}: {
  readonly dataDirectory: string;
  readonly server: StartedServer;
}): [string, string][] {
  const { host, port, user, database } = server.connection;
  return [
    ['look', `psql -h ${host} -p ${port} -U ${user} -d ${database}`],
    ...(server.state === 'paused' ? ([['open it', 'SELECT pg_wal_replay_resume()']] as [string, string][]) : []),
    ['stop', `pg_ctl -D ${dataDirectory} stop`],
    ['log', server.logFile],
  ];
}

function keptValue({ kept }: Recovered) {
  return kept && { kept };
}

function keptFacts({ kept }: Recovered): [string, string][] {
  return kept ? [['kept', `${kept.files} files (${bytesText(kept.bytes)}) that are as in the backup`]] : [];
}

function spaceFacts(tablespaces: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(tablespaces).map(([oid, path]): [string, string] => [`tablespace ${oid}`, path]);
}

/** The target as it was asked for. */
function wordsOf(target: RecoveryTarget): string {
  switch (target.kind) {
    case 'time':
      return target.time;
    case 'lsn':
      return target.lsn;
    case 'xid':
      return `transaction ${target.value}`;
    case 'name':
      return `restore point ${target.value}`;
    default:
      return target.kind;
  }
}

/** What is on this machine belongs to its target. */
export function recoverFrom({ recovery, targets: all }: Parts, target: string | undefined): Parts['recovery'] {
  const { incoming, ...rest } = recovery;
  const targets = chooseTargets(rest.targets, target);
  const near = incoming !== undefined && targets.includes(all[0]!);
  return { ...rest, targets, ...(near && { incoming }) };
}

function planValue({ window, base, passedOver, wal, baseBytes, walBytes }: RecoveryPlan) {
  const chain = base.chain.map(({ manifest }) => manifest.label);
  return { ...window, chain, ...(passedOver !== undefined && { passedOver }), wal, baseBytes, walBytes };
}

function facts({ window, base, passedOver, wal, baseBytes, walBytes }: RecoveryPlan): [string, string][] {
  return [
    ['base', `${base.chain.map(({ manifest }) => manifest.label).join(' + ')} (${bytesText(baseBytes)})`],
    ...(passedOver === undefined
      ? []
      : ([['instead of', `${passedOver}: it is incremental, and files are compared with a full one`]] as [string, string][])),
    ['WAL', `${wal.length} files (${bytesText(walBytes)}), timeline ${window.timeline}`],
    ['reaches', `${window.toTime ?? 'an instant that is not known'}, ${window.toLsn}`],
  ];
}

/** `--to` takes a time, a place in the WAL, `latest` or `immediate`: no two of them look alike. */
export function recoveryTarget({ to, xid, name }: RecoverFlags): RecoveryTarget {
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
