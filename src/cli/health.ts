import type { HealthCheck } from '../health/check.ts';
import type { HealthOutcome } from '../jobs/health-check.ts';
import type { CommandContext } from './command.ts';
import { findSources } from './each-source.ts';
import { tableLines } from './table.ts';

/** Looks at everything now, as the schedule does every hour. Warnings alone end with 0. */
export async function health(context: CommandContext): Promise<number> {
  const { progress, signal, log, clock, print, note } = context;
  const { sources, failures } = await findSources(context);
  const [unknown] = failures;
  if (unknown) throw unknown.error;
  const outcomes: HealthOutcome[] = [];
  for (const parts of sources) {
    progress.phase(`look at ${parts.config.source.name}`);
    outcomes.push(await parts.healthCheck().run({ signal, log, clock }));
    signal.throwIfAborted();
  }
  const worst = outcomes.find(({ exitStatus }) => exitStatus !== 0);
  progress.end(worst ? 'failed' : 'done');
  const reports = outcomes.map(({ summary, report }) => ({ ...summary, ...(report !== undefined && { report }) }));
  print({ healthy: worst === undefined, sources: reports }, outcomes.flatMap((outcome) => [...lines(outcome), '']).slice(0, -1));
  if (outcomes.some(({ report }) => report === undefined))
    note('Warning: no report of this run could be stored; --verbose shows why.');
  return worst?.exitStatus ?? 0;
}

function lines({ summary, checks }: HealthOutcome): string[] {
  const counts = (['fail', 'warn', 'ok'] as const).map((verdict) => checks.filter((each) => each.verdict === verdict).length);
  return [
    `${summary.source}: ${counts[0]!} failed, ${counts[1]!} to look at, ${counts[2]!} well`,
    ...tableLines(['', 'CHECK', 'SAYS'], checks.map(row)),
    ...checks.flatMap(({ verdict, check, object, hint }) =>
      verdict === 'ok' || hint === undefined ? [] : [`What to do about ${nameOf({ check, object })}: ${hint}`],
    ),
    ...(checks.length === 0 && summary.error ? [summary.error.message] : []),
  ];
}

function row({ verdict, check, object, says }: HealthCheck): string[] {
  return [verdict === 'fail' ? 'FAIL' : verdict, nameOf({ check, object }), says];
}

function nameOf({ check, object }: { readonly check: string; readonly object: string | undefined }): string {
  return object === undefined ? check : `${check} ${object}`;
}
