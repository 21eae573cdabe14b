import { readdirSync, readFileSync } from 'node:fs';

/** Memory of a client at one moment, bytes. */
export interface TreeMemory {
  /** The largest of the processes' highest resident sets so far. */
  readonly processBytes: number;
  /** The sum of their proportional set sizes: a page that n of them share counts a nth for each. */
  readonly treeBytes: number;
}

/** Memory of all that `root` has started, without `root` itself. Zero where there is no /proc. */
export function treeMemory(root: number): TreeMemory {
  let processBytes = 0;
  let treeBytes = 0;
  for (const pid of descendants(root)) {
    processBytes = Math.max(processBytes, kilobytes(`/proc/${pid}/status`, 'VmHWM') * 1024);
    treeBytes += kilobytes(`/proc/${pid}/smaps_rollup`, 'Pss') * 1024;
  }
  return { processBytes, treeBytes };
}

/** The sum of the proportional set sizes of `root` and of all that it has started. */
export function familyMemory(root: number): number {
  return kilobytes(`/proc/${root}/smaps_rollup`, 'Pss') * 1024 + treeMemory(root).treeBytes;
}

/** Where a process is gone, or is not ours to look into: 0. */
function kilobytes(file: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(read(file))?.[1] ?? 0);
}

function descendants(root: number): number[] {
  const found = [root];
  for (let at = 0; at < found.length; at += 1) found.push(...childrenOf(found[at]!));
  return found.slice(1);
}

/** Children belong to the thread that started them. */
function childrenOf(pid: number): number[] {
  return list(`/proc/${pid}/task`).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`)
      .split(' ')
      .filter((text) => text !== '')
      .map(Number),
  );
}

/** The kernel counts CPU time in hundredths of a second for everybody, whatever its own clock is (USER_HZ). */
const TICKS = 100;

/**
 * CPU seconds that a process, its children and those of them that have ended have used. For PostgreSQL's postmaster: all
 * processes of the server.
 */
export function familyCpu(parent: number): number {
  let ticks = 0;
  for (const pid of [parent, ...childrenOf(parent)]) {
    const text = read(`/proc/${pid}/stat`);
    // utime, stime, and the same of the children that were waited for: fields 14 to 17, counted behind the name.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    for (const field of fields.slice(11, 15)) ticks += Number(field);
  }
  return ticks / TICKS;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
