import { listBackups, type Listing } from '../catalog/catalog.ts';
import type { Parts } from '../assemble.ts';
import { writingSince } from './writing-since.ts';

/**
 * What all targets of some sources hold, each backup once: of each source by its own targets, and of sources that are not configured by
 * whoever has them. Newest first.
 */
export async function listOfAll(chosen: readonly Parts[], signal: AbortSignal): Promise<Listing> {
  const groups = new Map<string, Parts[]>();
  for (const parts of chosen) {
    const where = parts.targets.map((target) => target.location('full')).join('\n');
    groups.set(where, [...(groups.get(where) ?? []), parts]);
  }
  const configured = new Set(chosen.map(({ config }) => config.source.name));
  const listed = await Promise.all(
    [...groups.values()].map(async (group) => {
      const own = new Set(group.map(({ config }) => config.source.name));
      const { backups, unreachable } = await listBackups(group[0]!.targets, {
        ...{ allowUnreachable: true, signal, writingSince: await writingSince(group[0]!.config) },
      });
      return { unreachable, backups: backups.filter(({ source }) => own.has(source) || !configured.has(source)) };
    }),
  );
  const backups = new Map(
    listed.flatMap((each) => each.backups).map((backup) => [backup.label + backup.copies[0]!.location, backup]),
  );
  const unreachable = new Map(listed.flatMap((each) => each.unreachable).map((each) => [each.target + each.error.message, each]));
  return {
    backups: [...backups.values()].sort((a, b) => b.started.getTime() - a.started.getTime() || (a.key < b.key ? 1 : -1)),
    unreachable: [...unreachable.values()],
  };
}
