import { createHash } from 'node:crypto';
import { usableBases, type UsableBase } from '../base/chains.ts';
import { listBases } from '../base/list-bases.ts';
import { baseFileKey, PG_MANIFEST, type BaseParent } from '../catalog/base-manifest.ts';
import { readObject } from '../catalog/catalog.ts';
import { withClient, type ConnectionOptions } from '../postgres/connection.ts';
import type { Storage } from '../storage/storage.ts';

export interface ParentOptions {
  /** Configured name of the source. */
  readonly source: string;
  readonly connection: ConnectionOptions;
  readonly server: { readonly major: number; readonly systemIdentifier: string };
  /** Those that the new backup goes to: each has to have all that it builds on. */
  readonly targets: readonly Storage[];
  /** How many incremental backups follow a full one. */
  readonly incrementals: number;
  readonly signal: AbortSignal;
}

/** What an incremental backup builds on, or why a full one has to be taken. */
export type ParentChoice =
  | { readonly parent: BaseParent & { readonly pgManifest: Uint8Array } }
  /** `expected`: nothing is wrong, it is the turn of a full one. */
  | { readonly why: string; readonly expected: boolean };

const OLDEST_MAJOR = 17;

/** Takes the newest backup, if it can be built on. Whether the server still has the summaries of the WAL since then, only it can say. */
export async function chooseParent(options: ParentOptions): Promise<ParentChoice> {
  const { source, connection, server, targets, incrementals, signal } = options;
  if (incrementals === 0) return { why: 'PITR_INCREMENTALS is 0', expected: true };
  if (server.major < OLDEST_MAJOR) return wrong(`PostgreSQL ${server.major} makes no incremental backups, ${OLDEST_MAJOR} does`);
  const summarizes = await withClient(
    connection,
    async (client) => (await client.query<{ summarize_wal: string }>('SHOW summarize_wal')).rows[0]?.summarize_wal,
    { signal },
  );
  if (summarizes !== 'on') return wrong('summarize_wal is off on the server');
  const { bases } = await listBases(targets, source, signal);
  const newest = bases[0]?.manifest;
  if (!newest) return { why: 'there is none to build on', expected: true };
  const { usable, unusable } = usableBases(bases);
  const base = usable.find(({ manifest }) => manifest === newest);
  if (!base) return wrong(`${newest.label} cannot be built on: ${unusable.find((each) => each.base === newest.label)!.why}`);
  if (newest.systemIdentifier !== server.systemIdentifier) return wrong(`${newest.label} is of another server`);
  if (base.chain.length > incrementals) return { why: `${incrementals} incremental ones have followed the last`, expected: true };
  const lacking = targets.find((target) => !base.chain.every(({ copies }) => isWholeOn(target, copies)));
  if (lacking) return wrong(`${lacking.name} has not all of what ${newest.label} consists of`);
  const { pgManifest, faults } = await readPgManifest(base, targets, signal);
  if (!pgManifest) return wrong(`no copy of the ${PG_MANIFEST} of ${newest.label} can be used (${faults.join('; ')})`);
  return { parent: { label: newest.label, pgManifestSha256: newest.pgManifest.sha256, pgManifest } };
}

function wrong(why: string): ParentChoice {
  return { why, expected: false };
}

function isWholeOn(target: Storage, copies: UsableBase['copies']): boolean {
  return copies.some((copy) => copy.target === target && copy.state === 'whole');
}

async function readPgManifest({ manifest }: UsableBase, targets: readonly Storage[], signal: AbortSignal) {
  const faults: string[] = [];
  for (const target of targets) {
    const key = baseFileKey(manifest.label, PG_MANIFEST);
    try {
      const pgManifest = await readObject(target, key, signal);
      if (createHash('sha256').update(pgManifest).digest('hex') === manifest.pgManifest.sha256) return { pgManifest, faults };
      faults.push(`${target.location(key)} is not what was stored`);
    } catch (error) {
      signal.throwIfAborted();
      faults.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { faults };
}
