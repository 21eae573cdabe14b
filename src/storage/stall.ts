import { BackupError } from '../errors.ts';
import type { ReaderWatch } from './growing-content.ts';
import type { Content } from './storage.ts';

export interface StallWatch extends ReaderWatch {
  /** Aborts when the reader has had bytes at hand and not come back for more in time. */
  readonly signal: AbortSignal;
  stop(): void;
}

/** Watches one reader. It starts busy: a target that never begins to read has stalled, too. */
export function watchForStall(location: string, timeoutMs: number): StallWatch {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const idle = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  const busy = () => {
    idle();
    if (!stopped) timer = setTimeout(expire, timeoutMs);
  };
  const expire = () => {
    const seconds = Math.round(timeoutMs / 1000);
    controller.abort(
      new BackupError('STORAGE_UNAVAILABLE', `${location} has taken no data for ${seconds} s`, {
        hint: 'The target or the network to it hangs. The copy is made again from another target if one is whole.',
        retryable: true,
      }),
    );
  };
  busy();
  return {
    signal: controller.signal,
    idle,
    busy,
    stop() {
      stopped = true;
      idle();
    },
  };
}

/** `content`, telling `watch` whose turn it is. */
export function watched(content: Content, watch: ReaderWatch): Content {
  return {
    ...content,
    async *open(from) {
      watch.idle();
      for await (const chunk of content.open(from)) {
        watch.busy();
        yield chunk;
        watch.idle();
      }
    },
  };
}
