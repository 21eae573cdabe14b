import { BackupError, toBackupError } from '../errors.ts';
import { bytesContent } from '../storage/content.ts';
import type { Storage } from '../storage/storage.ts';
import { NOTHING, type AlertState } from './alert-state.ts';

/** Where the state may be kept: beside the reports. */
export interface StatePlace {
  readonly storage: Storage;
  readonly prefix: string;
}

/** Keeps what was told, so that a restart tells nothing twice. */
export interface AlertStore {
  /** The newest of what any place has; nothing where nothing was kept yet. Throws when no place can be asked. */
  load(signal: AbortSignal): Promise<AlertState>;
  /** Durable in the first place that takes it. Throws when none does. */
  save(state: AlertState, now: Date, signal: AbortSignal): Promise<void>;
}

const NAME = 'alert_state.json';
/** A temporary file that is older is not being written any more. */
const LEFT_MS = 24 * 60 * 60_000;

type Kept = AlertState & { readonly saved: string };

export function createAlertStore(places: readonly StatePlace[]): AlertStore {
  return {
    async load(signal) {
      const found: Kept[] = [];
      const failures: BackupError[] = [];
      for (const { storage, prefix } of places) {
        try {
          const kept = await read(storage, prefix + NAME, signal);
          if (kept) found.push(kept);
        } catch (error) {
          failures.push(toBackupError(error));
        }
      }
      const [newest] = found.sort((a, b) => (a.saved < b.saved ? 1 : -1));
      if (newest) return { version: newest.version, problems: newest.problems, undelivered: newest.undelivered };
      if (failures[0] && failures.length === places.length) throw failures[0];
      return NOTHING;
    },

    async save(state, now, signal) {
      const kept: Kept = { ...state, saved: now.toISOString() };
      const content = bytesContent(Buffer.from(`${JSON.stringify(kept, null, 2)}\n`));
      let failure: BackupError | undefined;
      for (const { storage, prefix } of places) {
        try {
          await storage.put(prefix + NAME, content, signal);
          await storage.sweep(`${prefix}.${NAME}`, new Date(now.getTime() - LEFT_MS), signal);
          return;
        } catch (error) {
          failure ??= toBackupError(error);
        }
      }
      throw failure ?? new BackupError('STORAGE_NO_TARGET', 'there is no place to keep what was told');
    },
  };
}

async function read(storage: Storage, key: string, signal: AbortSignal): Promise<Kept | undefined> {
  if ((await storage.head(key, signal)) === undefined) return undefined;
  const parts: Uint8Array[] = [];
  for await (const part of storage.get(key, undefined, signal)) parts.push(Buffer.from(part));
  const text = Buffer.concat(parts).toString('utf8');
  try {
    const parsed = JSON.parse(text) as Partial<Kept> | null;
    if (parsed?.version === 1 && Array.isArray(parsed.problems) && Array.isArray(parsed.undelivered)) return parsed as Kept;
  } catch {
    // Said below: it is not what we write.
  }
  throw new BackupError('STORAGE_CORRUPT', `${storage.location(key)} is not what was told`, {
    hint: 'It is written anew; alerts of problems that stand may come a second time.',
  });
}
