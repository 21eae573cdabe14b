import type { Backup } from '../catalog/backup.ts';
import { searchBackup } from '../catalog/find-backup.ts';
import { BackupError } from '../errors.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { verifyBackup, type VerifyResult } from '../restore/verify.ts';
import { chooseTargets, holders } from './choose-targets.ts';
import type { CommandContext } from './command.ts';
import { bytesText, secondsText } from '../quantities.ts';
import { writingSince } from './writing-since.ts';

/** Exit status when nothing was found wrong, but not everything could be checked. */
const INCONCLUSIVE = new BackupError('BACKUP_INCOMPLETE', '').exitStatus;

/** How the failure of a copy ends of which the manifest alone is damaged. */
const MANIFEST = ': manifest';

/** Re-reads every byte of a backup, on each target that should hold it. */
export async function verify(context: CommandContext, what: string, targetName: string | undefined): Promise<number> {
  const { parts, config, progress, signal, log, clock, print } = context;
  const targets = chooseTargets(parts.targets, targetName);
  // The newest of all, not the newest good one: that the newest is damaged is what one wants to hear.
  const { backup } = await searchBackup(targets, what === '' ? 'latest' : what, {
    ...{ allowUnreachable: true, signal, latest: 'any' as const, writingSince: await writingSince(config) },
    ...(config.source.named ? { source: config.source.name } : {}),
  });
  const programs = await programsFor(context, backup);
  const results: VerifyResult[] = [];
  for (const target of holders(backup, targets)) {
    progress.phase(`verify ${backup.label} on ${target.name}`);
    const result = await verifyBackup(
      { storage: target, key: backup.key, temporaryFolder: config.paths.work, ...(programs && { programs }) },
      { signal, log, clock, onProgress: ({ bytes, totalBytes }) => progress.progress(bytes ?? 0, totalBytes ?? 0) },
    );
    progress.end(result.outcome === 'passed' ? 'done' : 'failed');
    results.push(result);
  }
  const absent = absentCopies(backup);
  print({ label: backup.label, results, absent }, [...results.flatMap(resultLines), ...absent.map(({ says }) => says)]);
  const nowhere = results.length === 0 && absent.every(({ expected }) => expected);
  if (nowhere || results.some(({ outcome }) => outcome === 'failed') || absent.some(({ expected }) => expected)) {
    const failed = failures(results, absent);
    throw new BackupError('BACKUP_DAMAGED', `${backup.label} did not pass: ${failed.join('; ')}.`, {
      hint: failed.every((each) => each.endsWith(MANIFEST))
        ? `The dump itself may be whole: \`backup-manager reindex ${backup.label}\` rebuilds the manifest from it. Then verify again.`
        : 'Keep what there is, and restore from a copy that passed. `backup-manager create-backup` makes a new backup.',
    });
  }
  return absent.length > 0 || results.some(({ outcome }) => outcome === 'inconclusive') ? INCONCLUSIVE : 0;
}

interface AbsentCopy {
  readonly target: string;
  /** The manifest says that the copy was there. */
  readonly expected: boolean;
  readonly says: string;
}

/** Copies that could not be verified because they are not there or the target is not. */
function absentCopies({ label, copies, manifest }: Backup): AbsentCopy[] {
  return copies.flatMap(({ target, state }): AbsentCopy[] => {
    const promised = manifest?.copies.some((copy) => copy.target === target) ?? false;
    if (state === 'unreachable')
      return [{ target, expected: false, says: `${label} on ${target}: not verified, the target cannot be reached` }];
    if (state !== 'missing' || !promised) return [];
    return [{ target, expected: true, says: `${label} on ${target}: the dump is missing, though it was stored there` }];
  });
}

/** pg_restore, for comparing the script with the archive; without it those checks say that they were not done. */
async function programsFor({ parts }: CommandContext, { manifest }: Backup): Promise<ClientPrograms | undefined> {
  if (!manifest) return undefined;
  try {
    return await parts.findPrograms(Number.parseInt(manifest.programs.pgDump, 10));
  } catch (error) {
    if (error instanceof BackupError && error.code === 'CLIENT_PROGRAM_MISSING') return undefined;
    throw error;
  }
}

function resultLines({ label, target, outcome, checks, bytes, seconds }: VerifyResult): string[] {
  const marks = { ok: 'ok', failed: 'FAILED', 'not-checked': 'not checked' } as const;
  const title = `${label} on ${target}: ${outcome} (${bytesText(bytes)} read in ${secondsText(seconds)})`;
  return [
    title,
    ...checks.flatMap((check) => [
      `  ${check.name.padEnd(24)}${marks[check.outcome]}`,
      ...check.details.map((detail) => `      ${detail}`),
    ]),
  ];
}

function failures(results: readonly VerifyResult[], absent: readonly AbsentCopy[]): string[] {
  const failed = results.flatMap(({ target, checks }) =>
    checks.flatMap(({ name, outcome }) => (outcome === 'failed' ? [`${target}: ${name}`] : [])),
  );
  const missing = absent.flatMap(({ target, expected }) => (expected ? [`${target}: the dump is missing`] : []));
  return results.length === 0 && missing.length === 0 ? ['no target holds its dump'] : [...failed, ...missing];
}
