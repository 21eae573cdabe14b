import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { walFolder } from '../catalog/wal-names.ts';
import { absentAs, BackupError } from '../errors.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import { lookAtReplication } from '../postgres/replication-obstacle.ts';
import type { Storage } from '../storage/storage.ts';
import { decideStream, type StreamDecision, type StreamFacts } from '../wal/decide-stream.ts';
import { readLastMoment, readStreamState } from '../wal/stream-state.ts';
import { attempted } from './attempted.ts';
import { CLAIM_FILE } from './claim-archive.ts';

export interface MayStreamParts {
  /** Name of the source, as in the archive. */
  readonly source: string;
  readonly connection: ConnectionOptions;
  readonly slot: string;
  readonly targets: readonly Storage[];
  /** Where WAL is received. */
  readonly folder: string;
  /** The source that the WAL of this server comes with; absent when it is this one. */
  readonly comesWith?: string;
}

/** Asks server and archive whether WAL is to be streamed by itself, each for `timeoutMs` at most. Throws only when aborted. */
export async function mayStream(parts: MayStreamParts, timeoutMs: number, signal: AbortSignal): Promise<StreamDecision> {
  const { connection, slot, folder, comesWith } = parts;
  const ask = async (tries: boolean) =>
    await attempted(async (own) => await lookAtReplication(connection, slot, { tries, signal: own }), timeoutMs, signal);
  const onTargets = async () => await attempted(async (own) => await archiveOnTargets(parts, own), timeoutMs, signal);
  const here = await attempted(async () => await archiveHere(folder), timeoutMs, signal);
  const facts: StreamFacts = {
    ...{ look: await ask(false), slot, ...(comesWith !== undefined && { comesWith }) },
    ...(here instanceof BackupError ? { archive: here, wasOff: false } : here),
  };
  const { look } = facts;
  if (facts.archive !== 'none' || look instanceof BackupError || comesWith !== undefined) return decideStream(facts);
  if (look.slot !== 'none') {
    return decideStream({ ...facts, archive: await onTargets() });
  }
  // Targets, and the server's log, are left alone where it is off in any case.
  const known = decideStream(facts);
  if (!known.on) return known;
  const archive = look.archives ? await onTargets() : 'none';
  return decideStream({ ...facts, archive, look: await ask(true) });
}

async function archiveHere(folder: string): Promise<Pick<StreamFacts, 'archive' | 'wasOff'>> {
  const isClaimed = await absentAs(
    false,
    access(join(folder, CLAIM_FILE)).then(() => true),
  );
  const archive = (await readLastMoment(folder)) ? 'received' : isClaimed ? 'claimed' : 'none';
  return { archive, wasOff: (await readStreamState(folder))?.phase === 'off' };
}

async function archiveOnTargets({ source, targets }: MayStreamParts, signal: AbortSignal): Promise<'stored' | 'none'> {
  const found = await Promise.all(targets.map(async (target) => await target.head(walFolder(source) + CLAIM_FILE, signal)));
  return found.some((claim) => claim !== undefined) ? 'stored' : 'none';
}
