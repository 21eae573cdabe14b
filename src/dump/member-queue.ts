import type { CopiedMember } from './copy-unit.ts';

interface Waiting {
  readonly member: CopiedMember;
  readonly accept: () => void;
  accepted: boolean;
}

/** Compressed bytes that may wait for the file before the workers have to. */
const ROOM_BYTES = 48 * 1024 * 1024;

/**
 * Members from several workers on their way to one file. While there is room a worker goes on at once; beyond that it is
 * let go on (`accept`) only as its members leave. A block that is spread over several members leaves the queue in one piece.
 */
export class MemberQueue {
  readonly #lanes: Waiting[][];
  #bytes = 0;
  /** The lane whose block is not at its end. */
  #open: number | undefined;
  #turn = 0;
  #wake: (() => void) | undefined;
  #ended = false;
  #error: { readonly error: unknown } | undefined;

  constructor(lanes: number) {
    this.#lanes = Array.from({ length: lanes }, () => []);
  }

  push(lane: number, member: CopiedMember, accept: () => void): void {
    const waiting: Waiting = { member, accept, accepted: false };
    this.#bytes += member.bytes.length;
    if (this.#bytes <= ROOM_BYTES) admit(waiting);
    this.#lanes[lane]!.push(waiting);
    this.#notify();
  }

  /** Nothing more will come. */
  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** The reader gets `error` instead of what is left. */
  fail(error: unknown): void {
    this.#error ??= { error };
    this.#notify();
  }

  /** The next member for the file; `undefined` after the last. */
  async next(): Promise<CopiedMember | undefined> {
    for (;;) {
      if (this.#error) throw this.#error.error;
      const lane = this.#pick();
      if (lane !== undefined) return this.#take(lane);
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #pick(): number | undefined {
    if (this.#open !== undefined) return this.#lanes[this.#open]!.length > 0 ? this.#open : undefined;
    for (let i = 0; i < this.#lanes.length; i += 1) {
      const lane = (this.#turn + i) % this.#lanes.length;
      if (this.#lanes[lane]!.length > 0) return lane;
    }
    return undefined;
  }

  #take(lane: number): CopiedMember {
    const waiting = this.#lanes[lane]!.shift()!;
    this.#turn = lane + 1;
    this.#open = waiting.member.continues ? lane : undefined;
    this.#bytes -= waiting.member.bytes.length;
    admit(waiting);
    return waiting.member;
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

function admit(waiting: Waiting): void {
  if (waiting.accepted) return;
  waiting.accepted = true;
  waiting.accept();
}
