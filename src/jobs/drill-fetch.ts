import type { Backup } from '../catalog/backup.ts';
import { listBackups } from '../catalog/catalog.ts';
import type { CheckResult, Finding } from '../drill/check.ts';
import { chooseBackups, type Candidate, type Remark } from '../drill/choose-backup.ts';
import { fetchBackup, type Fetched } from '../drill/fetch.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { DrillRequest, RestoreDrillParts } from './drill-parts.ts';
import { findingOf } from './drill-record.ts';

/** The backup that the drill is about, on this machine's disk. */
export interface ChosenBackup extends Candidate {
  readonly target: Storage;
  readonly targetReason: string;
  readonly fetched: Fetched;
}

export interface DrillFetch extends CheckResult {
  readonly chosen?: ChosenBackup;
  /** All that the targets have. */
  readonly backups: readonly Backup[];
}

interface Origin {
  readonly target: Storage;
  readonly reason: string;
}

/**
 * Takes the newest backup that is wanted from the target that a disaster would leave, and compares all its checksums. One that is
 * damaged is a failure of the drill, and yet the next older one is taken: both is worth knowing.
 */
export async function fetchNewest(
  parts: RestoreDrillParts,
  request: DrillRequest,
  folder: string,
  signal: AbortSignal,
): Promise<DrillFetch> {
  const failed: Finding[] = [];
  const unsure: Finding[] = [];
  const noted: Finding[] = [];
  const tell = ({ kind, ...finding }: Remark) => ({ damage: failed, unknown: unsure, note: noted })[kind].push(finding);
  const origins = originsOf(parts, request);
  const { backups, unreachable } = await listBackups(parts.targets, { allowUnreachable: true, signal });
  const end = (chosen?: ChosenBackup): DrillFetch => ({
    verdict: failed.length > 0 ? 'failed' : unsure.length > 0 ? 'inconclusive' : 'passed',
    findings: [...failed, ...unsure, ...noted],
    backups,
    ...(chosen && { chosen }),
  });

  for (const { target, reason } of origins) {
    const silent = unreachable.find((each) => each.target === target.name);
    if (silent) {
      unsure.push({ ...findingOf(silent.error), object: target.name });
      continue;
    }
    const database = request.database ?? (parts.sourceNamed ? parts.source : undefined);
    const wanted = request.label === undefined ? { ...(database !== undefined && { database }) } : { label: request.label };
    const { usable, passedOver } = chooseBackups(backups, target.name, wanted);
    passedOver.forEach(tell);
    for (const { candidate, remarks } of usable) {
      remarks.forEach(tell);
      let fetched: Fetched;
      try {
        fetched = await fetchCopy(parts, target, candidate, folder, signal);
      } catch (error) {
        signal.throwIfAborted();
        unsure.push({ ...findingOf(toBackupError(error)), object: target.location(candidate.backup.key) });
        return end();
      }
      failed.push(...fetched.damage);
      if (fetched.usable) return end({ ...candidate, target, targetReason: reason, fetched });
    }
    const newer = origins.length > 1 ? 'a disaster that takes the others leaves nothing' : 'nothing can be restored';
    (unreachable.length > 0 && origins.length === 1 ? unsure : failed).push({
      object: target.name,
      message: `it has no ${passedOver.length + usable.length > 0 ? 'good ' : ''}backup${describeWanted(wanted)}: ${newer}`,
      hint: 'Make one: `backup-manager create-backup`.',
    });
  }
  return end();
}

/** Copies from other machines; a copy on this one is only read. */
async function fetchCopy(
  parts: RestoreDrillParts,
  storage: Storage,
  { backup, manifest }: Candidate,
  folder: string,
  signal: AbortSignal,
): Promise<Fetched> {
  const { watch } = parts;
  return await fetchBackup({
    ...{ storage, key: backup.key, manifest, signal },
    ...(!parts.local.includes(storage.name) && { folder }),
    ...(watch?.progress && { onProgress: (bytes, total) => watch.progress?.(bytes, total) }),
  });
}

function originsOf({ targets, local, from: configured }: RestoreDrillParts, request: DrillRequest): Origin[] {
  const named = request.from ?? configured;
  if (named !== undefined) {
    const target = targets.find(({ name }) => name === named);
    if (target) return [{ target, reason: request.from === undefined ? 'configured (DRILL_FROM)' : 'asked for' }];
    throw new BackupError('USAGE', `there is no target ${JSON.stringify(named)} to drill from`, {
      hint: `The configured targets are: ${targets.map(({ name }) => name).join(', ')}.`,
    });
  }
  const away = targets.filter(({ name }) => !local.includes(name));
  const here = targets.filter(({ name }) => local.includes(name));
  return [
    ...away.map((target) => ({ target, reason: 'not on this machine: what a disaster here would leave' })),
    ...here.map((target) => ({
      target,
      reason: away.length > 0 ? 'no other target could give a backup' : 'there is no other target',
    })),
  ];
}

function describeWanted({ label, database }: { readonly label?: string; readonly database?: string }): string {
  if (label !== undefined) return ` ${label}`;
  return database === undefined ? '' : ` of ${database}`;
}
