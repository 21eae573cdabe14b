import { randomUUID } from 'node:crypto';
import { BackupError, toBackupError } from '../errors.ts';
import type { Alert } from '../notify/alert.ts';
import type { Pinger } from '../notify/ping.ts';
import type { StandingProblem, Undelivered } from '../notify/alert-state.ts';
import { errorReport, type ErrorReport } from '../report/backup-report.ts';
import type { CommandContext } from './command.ts';
import { factLines } from './table.ts';

/** Sends a test to everything that alerts go to; without `--test`, shows what stands and what was not delivered. */
export async function notify(context: CommandContext, flags: { readonly test?: boolean }): Promise<number> {
  const { alerts, notifiers } = context.program.alerting;
  const channels = [...notifiers, ...pingersOf(context)].map(({ name }) => name);
  if (channels.length === 0) {
    throw new BackupError('CONFIG_INVALID', 'nobody is told of problems: no channel is configured', {
      hint: 'docs/alerts.md says how: PagerDuty, Slack, a webhook, e-mail, a ping.',
    });
  }
  if (flags.test === true) return await test(context);
  const { problems, undelivered } = await alerts.state(context.signal);
  const standing = problems.filter(({ over }) => over === undefined);
  context.print({ channels, problems: standing, undelivered }, [
    ...factLines([['channels', channels.join(', ')]]),
    ...standing.map(problemLine),
    ...undelivered.map(undeliveredLine),
    ...(standing.length + undelivered.length === 0 ? ['Nothing is wrong, and everything was delivered.'] : []),
  ]);
  return 0;
}

async function test(context: CommandContext): Promise<number> {
  const { program, chosen, clock, signal, print, progress } = context;
  const { notifiers } = program.alerting;
  const at = clock.now().toISOString();
  const alert: Alert = {
    ...{
      source: chosen.map(({ config }) => config.source.name).join(', '),
      job: 'notify',
      kind: 'failure',
      status: 'test',
      severity: 'warning',
    },
    ...{ id: randomUUID(), summary: 'This is a test.', since: at, at, times: 1 },
  };
  const ways: [string, () => Promise<void>][] = [
    ...notifiers.map((notifier): [string, () => Promise<void>] => [notifier.name, () => notifier.send(alert, signal)]),
    // As `log`: a start or a success would be taken for that of a run.
    ...pingersOf(context).map((pinger): [string, () => Promise<void>] => [
      pinger.name,
      () => pinger.ping({ event: 'log', run: randomUUID(), body: alert.summary }, signal),
    ]),
  ];
  progress.phase('sending a test');
  const results = await Promise.all(ways.map(async ([channel, send]) => ({ channel, error: await failureOf(send) })));
  progress.end('done');
  print(
    { channels: results.map(({ channel, error }) => ({ channel, delivered: error === undefined, ...(error && { error }) })) },
    [
      ...factLines(
        results.map(({ channel, error }) => [channel, error ? `failed: ${error.message}` : 'taken; see whether it arrives']),
      ),
      ...results.flatMap(({ error }) => (error?.hint === undefined ? [] : [`What to do: ${error.hint}`])),
    ],
  );
  const lost = results.filter(({ error }) => error !== undefined);
  if (lost.length === 0) return 0;
  throw new BackupError('ALERT_FAILED', `the test was not taken by ${lost.map(({ channel }) => channel).join(', ')}`, {
    hint: 'What each of them said is above.',
  });
}

function pingersOf({ chosen }: CommandContext): Pinger[] {
  return chosen.flatMap(({ alerting }) => [...alerting.pingers.values()]);
}

async function failureOf(send: () => Promise<void>): Promise<ErrorReport | undefined> {
  try {
    await send();
    return undefined;
  } catch (error) {
    return errorReport(toBackupError(error));
  }
}

function problemLine({ source, job, kind, summary, since, times, seenIn }: StandingProblem): string {
  const seen = `seen ${times === 1 ? 'once' : `${times} times`}${seenIn ? ` in ${seenIn.join(', ')}` : ''}`;
  return `Stands since ${since}: ${job} of ${source} (${kind}, ${seen}): ${summary}`;
}

/** For a person who looks at the status. */
export function undeliveredLine({ channel, since, attempts, message }: Undelivered): string {
  return `Not delivered since ${since} (${attempts === 1 ? 'once' : `${attempts} times`}) by ${channel}: ${message}`;
}
