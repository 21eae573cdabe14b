import type { Backup, BackupCopy } from '../catalog/backup.ts';
import type { Listing } from '../catalog/catalog.ts';
import type { Manifest } from '../catalog/manifest.ts';
import { toBackupError } from '../errors.ts';
import { errorReport } from '../report/backup-report.ts';
import type { ScrubbedCopy, ScrubReport } from '../report/cleanup-report.ts';
import type { Storage } from '../storage/storage.ts';
import type { JobContext } from './job.ts';
import { checkCopy } from './scrub-copy.ts';
import type { ScrubState } from './scrub-state.ts';

/** A copy that is not what its manifest says, to be mended. */
export interface DamagedCopy {
  readonly target: string;
  readonly key: string;
  /** Suffixes of the damaged files; `''` is the dump. */
  readonly files: readonly string[];
}

export interface Scrubbed {
  readonly report: ScrubReport;
  readonly damaged: readonly DamagedCopy[];
}

/**
 * Re-reads copies on one target within a budget: known damage first, then what was begun, what was never read (newest first), and
 * what was read longest ago. Notes what it finds in `state`. A copy that cannot be read ends the turn of its target, not the run.
 */
export async function scrubTarget(
  storage: Storage,
  { backups }: Listing,
  state: ScrubState,
  budgetBytes: number,
  { signal, clock, log }: JobContext,
): Promise<Scrubbed> {
  const target = storage.name;
  const checked: ScrubbedCopy[] = [];
  const damaged: DamagedCopy[] = [];
  let readBytes = 0;
  let failure: ScrubReport['error'];
  const candidates = backups.flatMap((backup) => candidate(backup, target, state));
  for (const { backup, copy, manifest, known } of candidates.sort(byUrgency)) {
    if (budgetBytes <= readBytes) break;
    const { key, label } = backup;
    const fromMember = known?.verdict === 'partly' ? (known.nextMember ?? 0) : 0;
    const base = { label, location: storage.location(key) };
    try {
      const task = { storage, key, copy, manifest, fromMember, budget: budgetBytes - readBytes };
      const { verdict, readBytes: read, problems, damaged: files, nextMember } = await checkCopy(task, signal);
      readBytes += read;
      checked.push({ ...base, verdict, readBytes: read, problems });
      const checkedAt = verdict === 'partly' ? known?.checkedAt : clock.now().toISOString();
      state.note(target, key, {
        sha256: manifest.file.sha256,
        verdict,
        ...(checkedAt !== undefined && { checkedAt }),
        ...(nextMember !== undefined && { nextMember }),
      });
      if (verdict !== 'damaged') continue;
      damaged.push({ target, key, files });
      log.error({ target, label, problems }, 'a stored backup is damaged');
    } catch (error) {
      signal.throwIfAborted();
      failure = errorReport(toBackupError(error));
      checked.push({ ...base, verdict: 'unchecked', readBytes: 0, problems: [], error: failure });
      break;
    }
  }
  const times = candidates.map(({ backup, manifest }) => state.of(target, backup.key, manifest.file.sha256)?.checkedAt);
  const oldestCheck = times.filter((time) => time !== undefined).sort()[0];
  return {
    report: {
      ...{ target, budgetBytes, readBytes, checked, neverChecked: times.filter((time) => time === undefined).length },
      ...(oldestCheck !== undefined && { oldestCheck }),
      ...(failure && { error: failure }),
    },
    damaged,
  };
}

interface Candidate {
  readonly backup: Backup;
  readonly copy: BackupCopy;
  readonly manifest: Manifest;
  readonly known: ReturnType<ScrubState['of']>;
}

/** What has a manifest to be compared with, and a dump on this target. */
function candidate(backup: Backup, target: string, state: ScrubState): Candidate[] {
  const { manifest, label, key } = backup;
  const copy = backup.copies.find((each) => each.target === target);
  const readable = copy && ['whole', 'side-file-missing', 'manifest-missing', 'size-differs'].includes(copy.state);
  if (!readable || manifest === undefined || manifest.label !== label) return [];
  return [{ backup, copy, manifest, known: state.of(target, key, manifest.file.sha256) }];
}

function byUrgency(a: Candidate, b: Candidate): number {
  return (
    urgency(a) - urgency(b) ||
    (a.known?.checkedAt ?? '').localeCompare(b.known?.checkedAt ?? '') ||
    b.backup.started.getTime() - a.backup.started.getTime()
  );
}

function urgency({ copy, known }: Candidate): number {
  if (copy.state !== 'whole' || known?.verdict === 'damaged') return 0;
  if (known?.verdict === 'partly') return 1;
  return known === undefined ? 2 : 3;
}
