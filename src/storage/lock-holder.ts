import { readFile, stat } from 'node:fs/promises';

/** Of /proc/PID/stat, on every Linux. */
const TICKS_PER_SECOND = 100;

/**
 * Since when a process holds the exclusive flock(2) of a file or folder; `undefined` when none does, and where that cannot be seen
 * (no Linux, or the holder lives in another container). Takes no lock, so that looking never keeps anybody out.
 */
export async function lockHeldSince(path: string): Promise<Date | undefined> {
  try {
    const { ino } = await stat(path);
    // A line that begins with an arrow is one who waits. Devices are left out: some file systems show another one there.
    const holder = new RegExp(`^\\d+: FLOCK +ADVISORY +WRITE +(\\d+) [0-9a-f]+:[0-9a-f]+:${ino} `, 'm');
    const pid = holder.exec(await readFile('/proc/locks', 'latin1'))?.[1];
    if (pid === undefined || !(await readFile(`/proc/${pid}/cmdline`, 'latin1')).startsWith('flock\0')) return undefined;
    const facts = await readFile(`/proc/${pid}/stat`, 'latin1');
    // Behind the name in parentheses, which may hold anything, the start is the 20th.
    const ticks = Number(facts.slice(facts.lastIndexOf(')') + 2).split(' ')[19]);
    const boot = Number(/^btime (\d+)$/m.exec(await readFile('/proc/stat', 'latin1'))?.[1]);
    const since = new Date((boot + ticks / TICKS_PER_SECOND) * 1000);
    return Number.isNaN(since.getTime()) ? undefined : since;
  } catch {
    return undefined;
  }
}
