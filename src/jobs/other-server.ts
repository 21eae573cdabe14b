import { readObject, sizesByDump } from '../catalog/catalog.ts';
import { parseManifest } from '../catalog/manifest-file.ts';
import { parseDumpName, SIDE } from '../catalog/names.ts';
import type { Storage } from '../storage/storage.ts';

/**
 * A warning for each target whose newest backup of this source is of another server: two machines that store under one name
 * mix their backups, and the clean-up of one removes those of the other. It may as well be a server that was made anew, so
 * the backup goes on. A target that cannot tell says nothing here: its failure is told where it is used.
 */
export async function otherServers(
  source: string,
  systemIdentifier: string | undefined,
  targets: readonly Storage[],
  signal: AbortSignal,
): Promise<string[]> {
  if (systemIdentifier === undefined) return [];
  const warnings: string[] = [];
  for (const target of targets) {
    try {
      const newest = [...(await sizesByDump(target, signal))]
        .flatMap(([key, sizes]) => {
          const name = parseDumpName(key);
          return name?.source === source && sizes.has(SIDE.manifest) ? [{ key, started: name.started.getTime() }] : [];
        })
        .sort((a, b) => b.started - a.started)[0];
      if (!newest) continue;
      const { label, server } = parseManifest(await readObject(target, newest.key + SIDE.manifest, signal), newest.key);
      if (server.systemIdentifier === undefined || server.systemIdentifier === systemIdentifier) continue;
      warnings.push(
        `${target.name} has ${label} of another server under the same source name ${source} (system identifier ${server.systemIdentifier}, ` +
          `this one is ${systemIdentifier}). If both are backed up, give each its own BACKUP_SOURCE_NAME or BACKUP_S3_PREFIX; if this server replaced it, all is well.`,
      );
    } catch {
      signal.throwIfAborted();
    }
  }
  return warnings;
}
