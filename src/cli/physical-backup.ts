import { BackupError } from '../errors.ts';
import type { CommandContext } from './command.ts';
import { errorBlock } from './error-block.ts';
import { bytesText, secondsText } from '../quantities.ts';
import { factLines } from './table.ts';

/** Makes a physical backup now: the same job as the schedule starts. */
export async function physicalBackup({ parts, progress, signal, log, clock, print, note }: CommandContext): Promise<number> {
  const { summary, report, exitStatus } = await parts.baseBackup(progress).run({ signal, log, clock });
  progress.end(summary.error === undefined ? 'done' : 'failed');
  const { parent, fullBecause } = summary;
  const { label, bytes, rawBytes, startLsn, endLsn, targets, durationSeconds, warnings, error } = summary;
  const facts: [string, string][] = [];
  if (bytes !== undefined && rawBytes !== undefined)
    facts.push(['size', `${bytesText(bytes)}, of ${bytesText(rawBytes)} on the server`]);
  if (startLsn !== undefined) facts.push(['WAL', `${startLsn} to ${endLsn ?? ''}`]);
  if (parent !== undefined) facts.push(['incremental', `builds on ${parent}`]);
  if (fullBecause !== undefined) facts.push(['full', fullBecause]);
  facts.push(['duration', secondsText(durationSeconds)]);
  for (const { target, state } of targets) facts.push([target, state]);
  for (const warning of warnings) facts.push(['warning', warning]);
  if (report !== undefined) facts.push(['report', report]);
  print({ ...summary, ...(report !== undefined && { report }) }, [
    label === undefined ? 'No physical backup was made.' : `Physical backup ${label} is stored.`,
    ...factLines(facts),
  ]);
  if (error) note(errorBlock(new BackupError(error.code, error.message, error.hint === undefined ? {} : { hint: error.hint })));
  return exitStatus;
}
