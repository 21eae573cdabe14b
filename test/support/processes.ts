import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** Command lines of the processes whose environment or arguments hold `mark`, this one left out. */
export async function processesWith(mark: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid))) {
    const [environment, command] = await Promise.all(
      ['environ', 'cmdline'].map((file) => readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '')),
    );
    if (`${environment!}\0${command!}`.includes(mark)) found.push(`${pid}: ${command!.replaceAll('\0', ' ').trim()}`);
  }
  return found;
}

/** Asks until the answer is empty, for as long as a dying process may take; returns the last answer. */
export async function untilNone<T>(ask: () => Promise<readonly T[]>, seconds = 30): Promise<readonly T[]> {
  for (let attempt = 0; ; attempt += 1) {
    const left = await ask();
    if (left.length === 0 || attempt >= seconds * 10) return left;
    await sleep(100);
  }
}
