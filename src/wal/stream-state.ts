import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WalView } from '../postgres/wal-view.ts';
import type { NotedMoment } from './moments.ts';

/** What the daemon says of its stream, in the folder where WAL is received: for `health` and `status`, which may be other processes. */
export interface StreamState {
  /** By our clock. */
  readonly writtenAt: string;
  /**
   * `starting`: not yet at work. `failing`: it cannot be; it is tried again. `held`: no WAL is received, since there is no room. `off`: it had
   * been at work, and is not meant to be any more.
   */
  readonly phase: 'starting' | 'streaming' | 'held' | 'failing' | 'stopped' | 'off';
  /** Why it is not at work. */
  readonly problem?: { readonly message: string; readonly hint?: string };
  /** The last look at the source. */
  readonly source?: SourceView;
  /** What is durable here. */
  readonly received?: Reached;
  readonly targets: readonly TargetView[];
}

export interface SourceView extends WalView {
  /** When it was looked at, by its clock. */
  readonly time: string;
}

/** Up to where everything is there. */
export interface Reached {
  readonly lsn: string;
  /** Everything that was committed before it is there; absent when that is not known. */
  readonly time?: string;
}

export interface TargetView {
  readonly target: string;
  readonly waitingFiles: number;
  readonly waitingBytes: number;
  readonly reached?: Reached;
  /** Its last failure, unless it has taken something since. */
  readonly problem?: string;
}

/** In the receiver's folder. */
const STREAM_STATE = 'stream-state.json';
/** In the receiver's folder: the last moment that was noted. */
const LAST_MOMENT = 'last-moment.json';

export async function writeStreamState(folder: string, state: StreamState): Promise<void> {
  await replaceFile(join(folder, STREAM_STATE), state);
}

export async function writeLastMoment(folder: string, moment: NotedMoment): Promise<void> {
  await replaceFile(join(folder, LAST_MOMENT), moment);
}

/** `undefined`: nothing has streamed into this folder yet. */
export async function readStreamState(folder: string): Promise<StreamState | undefined> {
  return (await readJson(join(folder, STREAM_STATE))) as StreamState | undefined;
}

/** Whether WAL is meant to stream into this folder: where that is left to the server, by what the daemon has noted last. */
export async function isStreamed({
  enabled,
  folder,
}: {
  readonly enabled: boolean | 'auto';
  readonly folder: string;
}): Promise<boolean> {
  if (enabled !== 'auto') return enabled;
  const state = await readStreamState(folder);
  return state !== undefined && state.phase !== 'off';
}

/** `undefined`: none was noted yet. */
export async function readLastMoment(folder: string): Promise<NotedMoment | undefined> {
  return (await readJson(join(folder, LAST_MOMENT))) as NotedMoment | undefined;
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function replaceFile(path: string, value: object): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
  await rename(`${path}.new`, path);
}
