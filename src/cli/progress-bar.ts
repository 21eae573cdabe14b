import { bytesText } from '../quantities.ts';
import { printable, type Screen } from './terminal.ts';

/** Shows what goes on: a bar that moves on a terminal, a line now and then elsewhere. */
export interface ProgressBar {
  /** The next phase begins; the last one is done. */
  phase(name: string): void;
  /** The phase has dealt with `done` of about `total` bytes. */
  progress(done: number, total: number): void;
  /** The last phase is over, well or not. */
  end(outcome: 'done' | 'failed'): void;
}

const BAR_WIDTH = 30;
/** Elsewhere than on a terminal a line is written at each of these parts of a phase. */
const STEP = 0.25;

export const silentProgress: ProgressBar = { phase: () => undefined, progress: () => undefined, end: () => undefined };

export function createProgressBar(screen: Screen): ProgressBar {
  return screen.isTTY === true ? movingBar(screen) : plainLines(screen);
}

function movingBar(screen: Screen): ProgressBar {
  let current: string | undefined;
  let shown = '';
  const draw = (text: string) => {
    const line = text.slice(0, Math.max(20, (screen.columns || 80) - 1));
    if (line === shown) return;
    // Return to the start of the line and clear it.
    screen.write(`\r\x1b[2K${line}`);
    shown = line;
  };
  const close = (mark: string) => {
    if (current === undefined) return;
    draw(`${mark} ${current}`);
    screen.write('\n');
    current = undefined;
    shown = '';
  };
  return {
    phase(name) {
      close('✓');
      current = printable(name);
      draw(`  ${current} …`);
    },
    progress(done, total) {
      if (current === undefined) return;
      const part = partOf(done, total);
      const filled = Math.round(part * BAR_WIDTH);
      const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
      draw(`  ${current} ${bar} ${percent(part)} ${bytesText(done)}`);
    },
    end: (outcome) => close(outcome === 'done' ? '✓' : '✗'),
  };
}

function plainLines(screen: Screen): ProgressBar {
  let current: string | undefined;
  let next = STEP;
  return {
    phase(name) {
      current = printable(name);
      next = STEP;
      screen.write(`${current} …\n`);
    },
    progress(done, total) {
      const part = partOf(done, total);
      if (current === undefined || part < next || part >= 1) return;
      next = (Math.floor(part / STEP) + 1) * STEP;
      screen.write(`${current}: ${percent(part)}, ${bytesText(done)}\n`);
    },
    end(outcome) {
      if (current !== undefined && outcome === 'failed') screen.write(`${current}: failed\n`);
      current = undefined;
    },
  };
}

/** `total` is often an estimate: the bar never says more than all. */
function partOf(done: number, total: number): number {
  return total > 0 ? Math.min(1, Math.max(0, done / total)) : 0;
}

function percent(part: number): string {
  return `${String(Math.floor(part * 100)).padStart(3)} %`;
}
