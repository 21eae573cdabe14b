import { readFileSync } from 'node:fs';

/** Whether a process runs. One that has ended and that nobody has waited for (as in a container without an init) does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z';
  } catch {
    // Without /proc the first answer has to do; with it, the process ended in between.
    return process.platform !== 'linux';
  }
}
