import { BackupError } from '../errors.ts';
import type { PitrDrillRequest } from '../jobs/pitr-drill.ts';
import { countText, secondsText } from '../quantities.ts';
import type { PitrDrillReport, RecoveryProof } from '../report/pitr-drill-report.ts';
import type { CommandContext } from './command.ts';
import { errorBlock } from './error-block.ts';
import { recoveryTarget } from './recover.ts';
import { factLines } from './table.ts';

export interface PitrDrillFlags extends PitrDrillRequest {
  readonly pitr?: boolean;
}

const MARKS = { passed: 'passed', failed: 'FAILED', inconclusive: 'could not check', skipped: 'not reached' } as const;
const TITLES: Record<PitrDrillReport['status'], string> = {
  success: 'Success: the server recovers, with exactly what was committed before the instant.',
  failure: 'FAILURE: point-in-time recovery did not pass the drill.',
  inconclusive: 'Inconclusive: something could not be checked, so that nothing is proven.',
};

/** Drills point-in-time recovery: the same job as the schedule starts. */
export async function pitrDrill(context: CommandContext, { seed, at }: PitrDrillFlags): Promise<number> {
  const { parts, progress, signal, log, clock, print, note } = context;
  if (at !== undefined && recoveryTarget({ to: at }).kind !== 'time') {
    throw new BackupError('USAGE', `${at} is no time`, {
      hint: 'The drill recovers to a time with its zone: 2026-01-31T14:05:00Z.',
    });
  }
  const request = { ...(seed !== undefined && { seed }), ...(at !== undefined && { at }) };
  const { summary, report, page, exitStatus } = await parts.pitrDrill(request, progress).run({ signal, log, clock });
  progress.end(summary.error === undefined ? 'done' : 'failed');
  const lines = summary.phases.flatMap(({ name, verdict, seconds, findings }) => [
    `  ${name.padEnd(18)}${MARKS[verdict].padEnd(17)}${verdict === 'skipped' ? '' : secondsText(seconds).padStart(8)}`,
    ...(verdict === 'skipped' ? [] : findings.map(({ object, message }) => `      ${object}: ${message}`)),
  ]);
  const { achieved_rpo_seconds: rpo, recovery_duration_minutes: rto } = summary;
  const kept = (met: boolean) => (met ? 'met' : 'MISSED');
  const { rpoTargetMinutes, rtoTargetMinutes } = summary.objectives;
  const facts: [string, string][] = [
    ['seed', summary.seed],
    ...proofFacts('instant', summary.instant),
    ...proofFacts('newest', summary.newest),
    [
      'recovery point',
      `${rpo === null ? 'not known' : secondsText(rpo)} (target ${rpoTargetMinutes} min): ${kept(summary.rpo_compliant)}`,
    ],
    [
      'recovery time',
      `${rto === null ? 'not known' : secondsText(rto * 60)} (target ${rtoTargetMinutes} min): ${kept(summary.rto_compliant)}`,
    ],
    ...(report === undefined ? [] : ([['report', report]] as [string, string][])),
    ...(page === undefined ? [] : ([['page', page]] as [string, string][])),
  ];
  print({ ...summary, exitStatus, ...(report !== undefined && { report }), ...(page !== undefined && { page }) }, [
    ...lines,
    '',
    TITLES[summary.status],
    ...factLines(facts),
  ]);
  const { error } = summary;
  if (error) note(errorBlock(new BackupError(error.code, error.message, error.hint === undefined ? {} : { hint: error.hint })));
  return exitStatus;
}

function proofFacts(name: string, proof: RecoveryProof | undefined): [string, string][] {
  if (!proof) return [];
  const { asked, reached, commits } = proof;
  return [
    [name, `${asked}: reached ${reached.lsn}, last transaction ${reached.lastTransaction ?? 'none'}`],
    ...(commits
      ? ([
          ['', `${countText(commits.present)} transactions before it are there, ${countText(commits.absent)} after it are not`],
        ] as [string, string][])
      : []),
  ];
}
