import { setTimeout as sleep } from 'node:timers/promises';
import { readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupError } from '../errors.ts';
import type { Log } from '../log.ts';
import { withClient, type ConnectionOptions } from '../postgres/connection.ts';
import {
  createSlot,
  dropSlot,
  freeSlot,
  identifyWalSource,
  readSlot,
  type SlotState,
  type WalSource,
} from '../postgres/replication.ts';
import { lookAtReplication } from '../postgres/replication-obstacle.ts';
import { viewWal, type WalView } from '../postgres/wal-view.ts';
import { bytesText } from '../quantities.ts';
import { answered } from './attempted.ts';
import { anotherServer } from './claim-archive.ts';

export interface SlotParts {
  readonly connection: ConnectionOptions;
  readonly slot: string;
}

/** There is no slot, and by itself none is made on this server. */
export class NoSlotByItself extends BackupError {}

/** What the receiver needs at once: the segment that it writes and the next one. */
const SEGMENTS_OF_ROOM = 2;
/** How often it is tried to drop a slot that its connection still holds. */
const DROP_ATTEMPTS = 20;
const DROP_PAUSE_MS = 250;
/** How long the source may take to answer what it is asked at a start. */
export const ANSWER_MS = 15_000;

/**
 * A source that has not noticed that a connection stalled keeps the slot to it for a minute: that one is ended there.
 * The slot is made when it is missing; that WAL was lost with it is told, and shows as a gap until the next physical backup.
 * Says how the server stands then.
 */
export async function prepareSlot(
  { connection, slot, enabled }: SlotParts & { readonly enabled: boolean | 'auto' },
  { origin, folder, stalled }: { readonly origin: WalSource; readonly folder: string; readonly stalled: boolean },
  log: Log,
  signal: AbortSignal,
): Promise<WalView> {
  await answered(
    async (own) => {
      const now = await identifyWalSource(connection, own);
      if (now.systemIdentifier !== origin.systemIdentifier) throw anotherServer(origin.systemIdentifier, now.systemIdentifier);
      await awaitUnused({ connection, slot }, stalled, own);
    },
    ANSWER_MS,
    signal,
  );
  // Not before: the receiver of a daemon that was killed ends a moment later, and what it writes meanwhile would go into a file without a name.
  await removeUnpadded(folder, origin.segmentBytes);
  // A slot that nobody fetches from only fills the source's disk.
  const { bavail, bsize } = await statfs(folder);
  const room = SEGMENTS_OF_ROOM * origin.segmentBytes;
  if (bavail * bsize < room) {
    throw new BackupError('STORAGE_FULL', `there is no room for WAL in ${folder}: it needs ${bytesText(room)} at least`, {
      hint: 'Make room. Meanwhile the source keeps its WAL: see what it says of its own disk in `backup-manager health`.',
      retryable: true,
    });
  }
  return await answered(async (own) => await makeSlot({ connection, slot }, enabled === 'auto', log, own), ANSWER_MS, signal);
}

/**
 * On a disk that is full `pg_receivewal` may leave a segment that it could not give its full size, and does not start again beside that. It
 * gives the size before it writes: there is no WAL in such a file.
 */
async function removeUnpadded(folder: string, segmentBytes: number): Promise<void> {
  for (const name of (await readdir(folder)).filter((each) => each.endsWith('.partial'))) {
    const { size } = await stat(join(folder, name));
    if (size !== 0 && size !== segmentBytes) await rm(join(folder, name));
  }
}

/** Throws when another connection fetches from the slot; of one that stalled, it is ended. */
async function awaitUnused({ connection, slot }: SlotParts, stalled: boolean, signal: AbortSignal): Promise<void> {
  await withClient(
    connection,
    async (client) => {
      let state = await readSlot(client, slot);
      for (let attempt = 0; stalled && state?.active === true && attempt < DROP_ATTEMPTS; attempt += 1) {
        await freeSlot(client, slot);
        await sleep(DROP_PAUSE_MS, undefined, { signal });
        state = await readSlot(client, slot);
      }
      if (state?.active === true) throw inUse(slot, state);
    },
    { signal },
  );
}

/** `limited`: a slot is made only where the server limits what it may keep. */
async function makeSlot({ connection, slot }: SlotParts, limited: boolean, log: Log, signal: AbortSignal): Promise<WalView> {
  return await withClient(
    connection,
    async (client) => {
      const state = await readSlot(client, slot);
      if (state?.walStatus === 'lost') {
        log.error(
          { slot },
          'the server has given up WAL that was not fetched yet: there is a gap until the next physical backup',
        );
        await dropSlot(client, slot);
      }
      if (state === undefined || state.walStatus === 'lost') {
        if (limited && (await lookAtReplication(connection, slot, { tries: false, signal })).limit !== 'set') {
          throw new NoSlotByItself('SOURCE_FAILED', `there is no replication slot ${slot}, and nothing limits what one may keep`);
        }
        await createSlot(client, slot);
        log.info({ slot }, 'the replication slot was made; from here on the source keeps its WAL until it is fetched');
      }
      return await viewWal(client, slot);
    },
    { signal },
  );
}

/** It is not taken away: whoever has it may be a daemon as good as this one. */
function inUse(slot: string, { user = 'another connection' }: SlotState): BackupError {
  return new BackupError('SOURCE_FAILED', `the replication slot ${slot} is in use already: ${user}`, {
    hint: 'Is a second daemon at work on this server? Stop it, or give one of them a slot of its own (PITR_SLOT). What is left of a connection of this daemon goes by itself (wal_sender_timeout of the server).',
    retryable: true,
  });
}

/** Gives up what was not fetched, so that the source can remove it. The connection that uses the slot is ended on the server. */
export async function giveUpSlot({ connection, slot }: SlotParts, signal: AbortSignal): Promise<void> {
  await withClient(
    connection,
    async (client) => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await dropSlot(client, slot);
          return;
        } catch (error) {
          if (attempt === DROP_ATTEMPTS) throw error;
          await sleep(DROP_PAUSE_MS, undefined, { signal });
        }
      }
    },
    { signal },
  );
}
