import { listBackups, type Listing } from '../catalog/catalog.ts';
import { covers } from '../config/choose-source.ts';
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
  const isOf = (some: readonly Parts[], name: string) => some.some(({ config }) => covers(config, name));
  const listed = await Promise.all(
    [...groups.values()].map(async (group) => {
      const { backups, unreachable } = await listBackups(group[0]!.targets, {
        ...{ allowUnreachable: true, signal, writingSince: await firstWriting(group) },
      });
      return { unreachable, backups: backups.filter(({ source }) => isOf(group, source) || !isOf(chosen, source)) };
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

async function firstWriting(group: readonly Parts[]): Promise<Date | undefined> {
  const found = await Promise.all(group.map(({ config }) => writingSince(config)));
  return found.filter((since) => since !== undefined).sort((a, b) => a.getTime() - b.getTime())[0];
}
