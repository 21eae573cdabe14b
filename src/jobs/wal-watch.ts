import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WalMoment } from '../catalog/wal-meta.ts';
import { BackupError, toBackupError } from '../errors.ts';
import { checkWalStream, type StreamLimits } from '../health/wal-stream.ts';
import type { WalView } from '../postgres/wal-view.ts';
import { bytesText } from '../quantities.ts';
import { errorReport } from '../report/backup-report.ts';
import type { Storage } from '../storage/storage.ts';
import { readLastMoment, writeLastMoment, writeStreamState, type SourceView, type StreamState } from '../wal/stream-state.ts';
import type { WalArchive } from '../wal/wal-archive.ts';
import { giveUpSlot } from './wal-slot.ts';
import type { SourceSample } from './wal-source.ts';
import type { WalStreamContext, WalStreamParts } from './wal-stream.ts';

export interface WatchLimits extends StreamLimits {
  /** Nothing has come for so long, though there was something to come: the receiver is started anew. */
  readonly stallMs: number;
  /** How much WAL may wait here for targets; beyond that none is received. Absent: as much as the disk takes. */
  readonly spoolBytes?: number;
  /** How much WAL the source may keep for us; beyond that the slot is dropped. Absent: never. */
  readonly dropSlotBytes?: number;
}

/** What decides how often a receiver is to make durable what it has. */
type ReceiverNeeds = Pick<WalView, 'commits' | 'receiverHidden'>;

type WatchedParts = Pick<WalStreamParts, 'connection' | 'slot' | 'limits' | 'tell'>;

/** How often a receiver that is held looks whether it may go on. */
const HELD_MS = 250;
/** A restart of the server, or a short silence, is no reason to call anybody. */
const GRACE_MS = 60_000;
/** Of the limit: WAL is received again when so little waits. */
const RESUME = 0.5;

/** Watches a stream: notes how far it is, for other processes as well, holds it where it must not go on, and tells of what is not well. */
export class StreamWatch {
  readonly #parts: WatchedParts;
  readonly #folder: string;
  readonly #context: WalStreamContext;
  readonly #refusals = new Map<string, string>();
  #archive: WalArchive | undefined;
  #source: SourceView | undefined;
  #problem: BackupError | undefined;
  #held: BackupError | undefined;
  #hold = new AbortController();
  /** Of a standby: the last commit that it has replayed, and the one that was its last at an earlier look; empty when not known. */
  #replayed = { before: '', last: '' };
  /** A receiver of ours is at work: only then what the slot says to be durable is durable here, and not elsewhere. */
  #receives = false;
  /** It makes each message durable at once. */
  #synchronous = false;
  /** Something has come since it was turned on. */
  #hasArrived = false;
  /** When something came last, or the receiver began; monotonic, ms. */
  #movedAt: number;
  #failsSince: number | undefined;
  /** What was told last. */
  #told = '';

  constructor(parts: WatchedParts, folder: string, context: WalStreamContext) {
    this.#parts = parts;
    this.#folder = folder;
    this.#context = context;
    this.#movedAt = context.clock.monotonic();
  }

  async starting(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 }).catch(() => undefined);
    await this.#write('starting');
  }

  async failing(problem: BackupError): Promise<void> {
    this.#problem = problem;
    await this.#tell(await this.#write('failing'));
  }

  /** It is not meant to be at work any more. */
  async off(): Promise<void> {
    this.#problem = undefined;
    this.#hasArrived = false;
    // What was told is over: it is told anew when it comes up after another turn.
    this.#told = '';
    this.#failsSince = undefined;
    await this.#write('off');
  }

  async stopped(): Promise<void> {
    await this.#write('stopped');
  }

  async follow(archive: WalArchive): Promise<void> {
    // What a daemon before this one knew of the segment that is open, or not stored yet.
    const last = await readLastMoment(this.#folder).catch(() => undefined);
    if (last) archive.moments.resume(last);
    this.#archive = archive;
    this.#problem = undefined;
    this.#receives = false;
  }

  /** A receiver of ours begins; says whether it is to make each message durable at once. */
  receiving(view: ReceiverNeeds): boolean {
    this.#receives = true;
    this.#synchronous = this.#needsSynchronous(view);
    this.#movedAt = this.#context.clock.monotonic();
    return this.#synchronous;
  }

  get receives(): boolean {
    return this.#receives;
  }

  /** Waits while no WAL is to be received. */
  async mayReceive(signal: AbortSignal): Promise<void> {
    while (this.#held && !signal.aborted) await sleep(HELD_MS, undefined, { signal }).catch(() => undefined);
  }

  /** Aborts when what is being received has to end. */
  get holds(): AbortSignal {
    return this.#hold.signal;
  }

  brokeOff(problem: BackupError): void {
    this.#problem = problem;
    this.#receives = false;
  }

  took({ name }: Storage): void {
    this.#refusals.delete(name);
  }

  refused({ name }: Storage, problem: BackupError): void {
    this.#refusals.set(name, problem.message);
  }

  /** To be told of each look at the source, or why it gave none; `isOurs`: a receiver of ours was at work when it began. */
  async look(sample: SourceSample | BackupError, isOurs: boolean, signal: AbortSignal): Promise<void> {
    if (sample instanceof BackupError) this.#problem = sample;
    else {
      this.#source = sample.view;
      await this.#note(sample, isOurs && this.#receives ? sample.durableLsn : undefined);
      await this.#lastResort(sample.view, signal);
      this.#restartIfNeedsChanged(sample.view);
    }
    await this.#holdIfFull();
    this.#restartIfStalled();
    const phase = this.#held ? 'held' : this.#problem ? 'failing' : 'streaming';
    await this.#tell(await this.#write(phase));
  }

  /**
   * What counts as newest: of a primary its clock, once the WAL up to its heartbeat is durable here; of a standby, whose clock says nothing
   * of what has reached it, the commit before the last that it has replayed, once the WAL up to there is durable here. What was noted of a
   * primary that the source was before stays true of the WAL that came from it, and of nothing else.
   */
  async #note({ view, timeline, moment }: SourceSample, durableLsn: string | undefined): Promise<void> {
    const moments = this.#archive?.moments;
    if (!moments) return;
    moments.follow(timeline);
    const known = view.standby ? this.#replayedBefore(moment) : moment;
    if (known) moments.offer(known);
    // An idle standby brings nothing new.
    if (view.standby && durableLsn === view.lsn) this.#movedAt = this.#context.clock.monotonic();
    const newest = durableLsn === undefined ? undefined : moments.confirm(durableLsn);
    if (!newest) return;
    this.#problem = undefined;
    this.#movedAt = this.#context.clock.monotonic();
    await this.#try(async () => await writeLastMoment(this.#folder, newest));
    if (!this.#hasArrived) this.#context.onArrival?.(newest.lsn);
    this.#hasArrived = true;
  }

  /** Commits are not quite in the order of their times, and a recovery to a time needs a commit after it. */
  #replayedBefore(moment: WalMoment | undefined): WalMoment | undefined {
    if (!moment) return undefined;
    if (moment.time > this.#replayed.last) this.#replayed = { before: this.#replayed.last, last: moment.time };
    const { before } = this.#replayed;
    return before === '' ? undefined : { ...moment, time: before };
  }

  /** No room for more: the source keeps what comes, until targets have taken what waits. */
  async #holdIfFull(): Promise<void> {
    const { spoolBytes } = this.#parts.limits;
    if (spoolBytes === undefined || !this.#archive) return;
    const waiting = await this.#archive.bytes();
    if (this.#held) {
      if (waiting > spoolBytes * RESUME) return;
      this.#held = undefined;
      this.#hold = new AbortController();
      this.#context.log.info({ waiting: bytesText(waiting) }, 'there is room again: WAL is received');
    } else if (waiting > spoolBytes) {
      this.#held = new BackupError(
        'STORAGE_FULL',
        `${bytesText(waiting)} of WAL wait here for targets, and at most ${bytesText(spoolBytes)} may (PITR_SPOOL_MIB)`,
        { hint: 'Make the target usable that `wal copies` names. Until then the source keeps its WAL.', retryable: true },
      );
      this.#hold.abort(this.#held);
    }
  }

  /** A connection that neither brings anything nor breaks: a network that stalls, a server that hangs. */
  #restartIfStalled(): void {
    const { stallMs } = this.#parts.limits;
    const now = this.#context.clock.monotonic();
    if (this.#held || !this.#receives || now - this.#movedAt < stallMs) return;
    this.#movedAt = now;
    this.#hold.abort(
      new BackupError('STALLED', `no WAL has come for ${stallMs / 1000} s; the connection is given up`, {
        hint: 'It is made anew. Does the network between here and the source carry anything?',
        retryable: true,
      }),
    );
    this.#hold = new AbortController();
  }

  /** What is made durable once a second is not for commits that wait for it, and nobody else pays for more. */
  #restartIfNeedsChanged(view: ReceiverNeeds): void {
    const synchronous = this.#needsSynchronous(view);
    if (this.#held || !this.#receives || synchronous === this.#synchronous) return;
    const often = synchronous ? 'each message at once' : 'what it has received once a second';
    this.#hold.abort(
      new BackupError('ABORTED', `the receiver is started anew, to make durable ${often} from now on`, { retryable: true }),
    );
    this.#hold = new AbortController();
  }

  #needsSynchronous({ commits, receiverHidden }: ReceiverNeeds): boolean {
    return this.#parts.limits.synchronous || commits !== 'nobody' || receiverHidden;
  }

  /** Only where it is configured so: the source's life before our archive. */
  async #lastResort({ slot, keptBytes }: SourceView, signal: AbortSignal): Promise<void> {
    const { dropSlotBytes } = this.#parts.limits;
    if (dropSlotBytes === undefined || slot === 'none' || slot === 'lost' || keptBytes <= dropSlotBytes) return;
    const lost = new BackupError(
      'STORAGE_FULL',
      `the source kept ${bytesText(keptBytes)} of WAL for us, more than it may (PITR_DROP_SLOT_MIB): its slot was dropped, and there is a gap`,
      { hint: 'Mend what kept WAL from being fetched, then make a physical backup: what follows it is recoverable.' },
    );
    this.#hold.abort(lost);
    try {
      await giveUpSlot(this.#parts, signal);
      this.#problem = lost;
      this.#context.log.error({ ...errorReport(lost) }, 'the slot was dropped');
    } catch (error) {
      signal.throwIfAborted();
      this.#context.log.error({ ...errorReport(toBackupError(error)) }, 'the slot was to be dropped, and could not be');
    }
    if (!this.#held) this.#hold = new AbortController();
  }

  async #write(phase: StreamState['phase']): Promise<StreamState> {
    const problem = this.#held ?? this.#problem;
    const received = this.#archive?.moments.newest;
    const views = (await this.#archive?.view().catch(() => undefined)) ?? [];
    const state: StreamState = {
      ...{ writtenAt: this.#context.clock.now().toISOString(), phase },
      ...(problem && { problem: { message: problem.message, ...(problem.hint !== undefined && { hint: problem.hint }) } }),
      ...(this.#source && { source: this.#source }),
      ...(received && { received }),
      targets: views.map((view) => {
        const refusal = this.#refusals.get(view.target);
        return refusal === undefined ? view : { ...view, problem: refusal };
      }),
    };
    await this.#try(async () => await writeStreamState(this.#folder, state));
    return state;
  }

  /** A full disk must not end the stream: what empties it is part of it. Whoever reads these files sees that they are old. */
  async #try(write: () => Promise<void>): Promise<void> {
    await write().catch((error: unknown) => {
      this.#context.log.debug({ ...errorReport(toBackupError(error)) }, 'how the stream stands could not be noted');
    });
  }

  /** At once, not at the next health check; only what has changed. */
  async #tell(state: StreamState): Promise<void> {
    const { tell, limits } = this.#parts;
    const checks = checkWalStream(state, limits, this.#context.clock.now());
    const told = checks.map(({ check, object, verdict }) => `${check} ${object ?? ''} ${verdict}`).join();
    const now = this.#context.clock.monotonic();
    if (checks.every(({ verdict }) => verdict !== 'fail')) this.#failsSince = undefined;
    else this.#failsSince ??= now;
    if (told === this.#told || (this.#failsSince !== undefined && now - this.#failsSince < GRACE_MS)) return;
    this.#told = told;
    const bad = checks
      .filter(({ verdict }) => verdict !== 'ok')
      .map(({ check, object, says }) => `${check} ${object ?? ''}: ${says}`);
    if (bad.length > 0) this.#context.log.warn({ checks: bad }, 'not all is well with the stream of WAL');
    else this.#context.log.info('the stream of WAL is well');
    await tell?.(checks, this.#context);
  }
}
