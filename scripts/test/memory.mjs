import { access, chmod, constants, mkdtemp, readFile, statfs } from 'node:fs/promises';

const FOLDER = '/dev/shm';
const TMPFS = 0x01021994;
/** What all servers and backups of the tests take at once, several times over. */
const PLENTY = 12 * 2 ** 30;

/**
 * A new folder for temporary files in the machine's memory, where there is plenty of it: nothing that tests write has to outlast a
 * crash, and a disk's pace is no part of them. Undefined where there is not.
 */
export async function folderInMemory() {
  try {
    await access(FOLDER, constants.W_OK | constants.X_OK);
    const { type, bavail, bsize } = await statfs(FOLDER);
    const available = /^MemAvailable: +(\d+) kB$/m.exec(await readFile('/proc/meminfo', 'utf8'));
    const mounts = await readFile('/proc/mounts', 'utf8');
    const mayExecute = mounts.split('\n').some((line) => / \/dev\/shm tmpfs (?!.*\bnoexec\b)/.test(line));
    if (type !== TMPFS || !mayExecute || Math.min(bavail * bsize, Number(available?.[1]) * 1024) < PLENTY) return undefined;
    // The paths of Unix sockets are short (107 bytes), and so is this one.
    const folder = await mkdtemp(`${FOLDER}/test-`);
    // As the system's own: servers run under another account.
    await chmod(folder, 0o1777);
    return folder;
  } catch {
    return undefined;
  }
}
