import { usableBases } from '../base/chains.ts';
import { listBases } from '../base/list-bases.ts';
import { BASE, baseFileKey, baseManifestKey, PG_MANIFEST } from '../catalog/base-manifest.ts';
import { encodeSource } from '../catalog/names.ts';
import { parseLsn } from '../catalog/lsn.ts';
import { parseWalFile, segmentOf, WAL_META } from '../catalog/wal-names.ts';
import { planPhysical, type PhysicalPlan, type PhysicalRules, type WalSegment } from '../retention/plan-physical.ts';
import type { Storage } from '../storage/storage.ts';
import { readWal, recoverableFrom, storedCopies } from '../wal/read-wal.ts';
import type { JobContext } from './job.ts';

const DAY_MS = 24 * 60 * 60_000;

export interface ExpirePhysicalParts {
  readonly source: string;
  readonly targets: readonly Storage[];
  readonly rules: PhysicalRules;
}

/**
 * Removes physical backups and WAL that nothing needs any more, on all targets; none before those that build on it, and a backup's manifest
 * first. Throws, having removed nothing,
 * when a target cannot be listed or a manifest cannot be read: what is not known may be needed.
 */
export async function expirePhysical(parts: ExpirePhysicalParts, { signal, clock, log }: JobContext): Promise<PhysicalPlan> {
  const { source, targets, rules } = parts;
  const { bases, unreadable } = await listBases(targets, source, signal);
  const [odd] = unreadable;
  if (odd) throw odd.error;
  const segmentBytes = bases[0]?.manifest.segmentBytes;
  if (segmentBytes === undefined) return { remove: { bases: [], segments: [] }, keep: [] };
  const wal = await readWal({ targets }, source, segmentBytes, signal);
  const { windows } = await recoverableFrom(
    usableBases(bases).usable.map(({ manifest }) => manifest),
    wal,
    { signal },
  );
  const segments = [...wal.copies.keys()].flatMap((name): WalSegment[] => {
    const file = parseWalFile(name, segmentBytes);
    return file === undefined || file.kind === 'history' ? [] : [{ name, timeline: file.timeline, number: file.number }];
  });
  const plan = planPhysical(
    bases.map(({ manifest: { label, timeline, startLsn, endLsn, finishedAt, parent } }) => ({
      ...{ label, timeline, firstSegment: segmentOf(parseLsn(startLsn), segmentBytes), finished: Date.parse(finishedAt) },
      ...{ lastSegment: segmentOf(parseLsn(endLsn), segmentBytes), ...(parent && { parent: parent.label }) },
      good: windows.some(({ base }) => base === label),
    })),
    segments,
    rules,
    clock.now().getTime(),
  );
  for (const label of plan.remove.bases) {
    const { manifest } = bases.find((base) => base.manifest.label === label)!;
    for (const target of targets) {
      await target.remove(baseManifestKey(label), signal);
      for (const { name } of [...manifest.archives, { name: PG_MANIFEST }]) await target.remove(baseFileKey(label, name), signal);
    }
    log.info({ label }, 'an old physical backup was removed');
  }
  for (const name of plan.remove.segments) {
    for (const { target, key } of storedCopies(wal, name)) {
      await target.remove(key + WAL_META, signal);
      await target.remove(key, signal);
    }
  }
  await sweepUnfinished(targets, source, new Set(bases.map(({ manifest }) => manifest.label)), clock.now(), signal);
  if (plan.remove.segments.length > 0) log.info({ segments: plan.remove.segments.length }, 'WAL that nothing needs was removed');
  return plan;
}

/** What runs that were killed left: archives whose manifest never came, and temporary files, older than a day. */
async function sweepUnfinished(
  targets: readonly Storage[],
  source: string,
  finished: ReadonlySet<string>,
  now: Date,
  signal: AbortSignal,
): Promise<void> {
  const before = new Date(now.getTime() - DAY_MS);
  const prefix = `${BASE}base_${encodeSource(source)}_`;
  for (const target of targets) {
    await target.sweep(prefix, before, signal);
    for await (const { key, modified } of target.list(prefix, signal)) {
      const label = key.slice(BASE.length).split('/')[0]!;
      if (key.endsWith('.meta') || finished.has(label) || modified >= before) continue;
      await target.remove(key, signal);
    }
  }
}
