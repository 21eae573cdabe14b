import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface Measurement {
  readonly seconds: number;
  /** Highest resident set of the first process, megabytes. */
  readonly peakMegabytes: number;
  /** Highest sum over the process and all that it started, megabytes. */
  readonly peakTreeMegabytes: number;
}

const SAMPLE_MS = 100;

/** Runs a whole process to its end and measures it from outside. Throws with what it wrote if it fails. */
export async function measure(file: string, args: readonly string[], env: Record<string, string>): Promise<Measurement> {
  const begin = performance.now();
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  let peak = 0;
  let peakTree = 0;
  const timer = setInterval(() => {
    if (child.pid === undefined) return;
    peak = Math.max(peak, readKilobytes(child.pid, 'VmHWM'));
    peakTree = Math.max(
      peakTree,
      processTree(child.pid).reduce((sum, pid) => sum + readKilobytes(pid, 'VmRSS'), 0),
    );
  }, SAMPLE_MS);
  const status = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  clearInterval(timer);
  const seconds = (performance.now() - begin) / 1000;
  if (status !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${status}:\n${Buffer.concat(output).toString()}`);
  return { seconds, peakMegabytes: peak / 1024, peakTreeMegabytes: peakTree / 1024 };
}

/** 0 when the process is gone, or on a system without /proc. */
function readKilobytes(pid: number, field: string): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of listProcesses()) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // It ended between the listing and the reading.
    }
  }
  const tree = [root];
  for (let at = 0; at < tree.length; at += 1) tree.push(...(children.get(tree[at]!) ?? []));
  return tree;
}

function listProcesses(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** The middle value; the mean of the two middle ones of an even number. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
