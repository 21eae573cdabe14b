import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamDecision } from '../wal/decide-stream.ts';
import { readStreamState } from '../wal/stream-state.ts';
import { incomingFolder } from './incoming-folder.ts';
import { mayStream } from './may-stream.ts';
import { ANSWER_MS } from './wal-slot.ts';
import type { WalStreamContext, WalStreamParts } from './wal-stream.ts';
import type { StreamWatch } from './wal-watch.ts';

const FIRST_PAUSE_MS = 1000;
/** What is off stays so for days or for good; a server that takes no connections for replication logs each that is tried. */
const LONGEST_PAUSE_MS = 5 * 60_000;

/** Whether the stream is on, as it was decided last. */
export class StreamTurn {
  readonly #parts: WalStreamParts;
  readonly #watch: StreamWatch;
  readonly #context: WalStreamContext;
  /** Or why it is off. */
  #on: true | string = '';

  constructor(parts: WalStreamParts, watch: StreamWatch, context: WalStreamContext) {
    this.#parts = parts;
    this.#watch = watch;
    this.#context = context;
  }

  get isOn(): boolean {
    return this.#on === true;
  }

  /** Waits until it is. */
  async awaitOn(): Promise<void> {
    const { signal } = this.#context;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      const decision = await this.#decide();
      if (decision.on) {
        await this.#turnOn();
        return;
      }
      await this.#turnOff(decision);
      await sleep(pauseMs, undefined, { signal });
    }
  }

  async #decide(): Promise<StreamDecision> {
    if (this.#parts.enabled !== 'auto') return { on: true };
    return await mayStream({ ...this.#parts, folder: incomingFolder(this.#parts) }, ANSWER_MS, this.#context.signal);
  }

  async #turnOn(): Promise<void> {
    if (this.#on === true) return;
    this.#on = true;
    await this.#watch.starting();
    this.#context.onTurn?.(true);
  }

  async #turnOff({ says, begun }: StreamDecision & { readonly on: false }): Promise<void> {
    if (this.#on === says) return;
    this.#on = says;
    this.#context.log[begun ? 'warn' : 'info'](says);
    // A folder where nothing has begun stays as it is.
    const noted = await readStreamState(incomingFolder(this.#parts)).catch(() => undefined);
    if (noted) await this.#watch.off();
    this.#context.onTurn?.(says);
  }
}
