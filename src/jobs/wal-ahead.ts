import { access, chown, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { release } from '../codec/release.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import { serverAccount, type Account } from '../postgres/server-account.ts';
import { fetchWal, type WalInventory } from '../wal/read-wal.ts';

export interface WalAheadOptions {
  readonly inventory: WalInventory;
  /** Files of WAL in the order in which they are replayed. */
  readonly files: readonly string[];
  /** On the volume of the data directory: files are renamed from it. */
  readonly folder: string;
  /** The server gets copies, and all files stay in the folder. By default it gets the files, and no more are there than it soon takes. */
  readonly keeps?: boolean;
  /** Files that are fetched at the same time. */
  readonly workers: number;
  readonly signal: AbortSignal;
}

/** WAL that is fetched while a server replays what came before. */
export interface WalAhead {
  /** The server's `restore_command`. */
  readonly command: string;
  /** Why no more comes. The server ends then, instead of opening too early. */
  failure(): BackupError | undefined;
  /** Waits until every file has been fetched, or throws why not. */
  whole(): Promise<void>;
  /** Ends the fetching and removes the folder, if it is not kept: what the server asks for from then on is not there. */
  end(): Promise<void>;
}

/** More does not help: a file is replayed in about the time that it takes to fetch one. */
const SPOOL_BYTES = 256 * 2 ** 20;
const LEAST_FILES = 4;
const POLL_MS = 100;
const BEAT_MS = 10_000;
/** The server gives up when nothing was heard of us for so long. */
const SILENCE_MINUTES = 2;
/** Beside a file: it is going to come. */
const WANTED = '.wanted';

/** Begins to fetch, several files at a time and no more ahead than the folder may hold, each whole and checked. */
export async function startWalAhead(options: WalAheadOptions): Promise<WalAhead> {
  const { inventory, folder, keeps = false, workers, signal } = options;
  const files = options.files.map((name) => ({ name, path: join(folder, name.replace(/\.partial$/, '')) }));
  const account = await serverAccount();
  // What a killed run left.
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
  if (account) await chown(folder, account.uid, account.gid);
  for (const { path } of files) await give(path + WANTED, Buffer.alloc(0), account);
  const alive = join(folder, 'alive');
  const failed = join(folder, 'failed');
  await give(alive, Buffer.alloc(0), account);
  const beat = setInterval(() => void writeFile(alive, '').catch(() => undefined), BEAT_MS);
  beat.unref();

  const ending = new AbortController();
  const both = AbortSignal.any([signal, ending.signal]);
  const limit = Math.max(LEAST_FILES, Math.floor(SPOOL_BYTES / inventory.segmentBytes));
  /** Of those that are there, how many the server has had: it takes them in order, and may leave some out. */
  let taken = 0;
  let failure: BackupError | undefined;
  const room = async (at: number): Promise<void> => {
    while (!keeps && at - taken >= limit) {
      for (let next = Math.min(at, files.length) - 1; next >= taken; next -= 1) {
        const { path } = files[next]!;
        if ((await exists(path)) || (await exists(path + WANTED))) continue;
        taken = next + 1;
      }
      if (at - taken >= limit) await sleep(POLL_MS, undefined, { signal: both });
    }
  };
  const queue = files.entries();
  const fetchSome = async (): Promise<void> => {
    for (const [at, { name, path }] of queue) {
      await room(at);
      const bytes = await fetchWal(inventory, name, both);
      await give(`${path}.part`, bytes, account);
      release(bytes);
      await rename(`${path}.part`, path);
      await rm(path + WANTED);
    }
  };
  const fetching = Promise.all(
    Array.from({ length: Math.max(workers, 2) }, async () =>
      fetchSome().catch(async (error: unknown) => {
        if (both.aborted) return;
        failure ??= toBackupError(error);
        ending.abort(error);
        await writeFile(failed, '').catch(() => undefined);
      }),
    ),
  );
  return {
    command: commandText(folder, keeps, alive, failed),
    failure: () => failure,
    async whole() {
      await fetching;
      if (failure) throw failure;
      signal.throwIfAborted();
    },
    async end() {
      ending.abort();
      await fetching;
      clearInterval(beat);
      if (!keeps) await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Waits for a file that is to come and hands it over. 1 means that there is none: then the server takes the one that it has, if it has one
 * already. 255 makes it end.
 */
function commandText(folder: string, keeps: boolean, alive: string, failed: string): string {
  const file = shell(folder, '/%f');
  const wanted = shell(folder, `/%f${WANTED}`);
  return [
    `until [ -e ${file} ]; do`,
    // In this order: it comes before the note is taken away.
    `[ -e ${wanted} ] || [ -e ${file} ] || exit 1;`,
    `if [ -e ${shell(failed)} ] || [ -z "$(find ${shell(alive)} -mmin -${SILENCE_MINUTES})" ];`,
    `then echo 'db-backup fetches no more WAL: recover anew' >&2; exit 255; fi;`,
    `sleep 0.05; done; ${keeps ? 'cp' : 'mv'} ${file} '%p'`,
  ].join(' ');
}

/** A path of ours, and what the server puts behind it, for the shell; the server itself looks for per cent signs. */
function shell(path: string, rest = ''): string {
  return `'${path.replaceAll('%', '%%').replaceAll("'", String.raw`'\''`)}${rest}'`;
}

async function give(path: string, bytes: Uint8Array, account: Account | undefined): Promise<void> {
  await writeFile(path, bytes, { mode: 0o600 });
  if (account) await chown(path, account.uid, account.gid);
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
