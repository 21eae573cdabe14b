import { readFile, realpath } from 'node:fs/promises';
import { BackupError } from '../errors.ts';
import { onDisk } from './disk-error.ts';

/**
 * Throws `STORAGE_MISSING` when `directory` lies on the root file system, and not below a mount. In a container that is the
 * layer that goes with it: backups in there would be lost with the next update. https://www.man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
 */
export async function checkMounted(directory: string): Promise<void> {
  const path = await onDisk('look at', directory, () => realpath(directory));
  if (isBelowMount(path, await readFile('/proc/self/mountinfo', 'utf8'))) return;
  throw new BackupError('STORAGE_MISSING', `no volume is mounted at ${directory}`, {
    hint: 'What is written there would be gone with this container. Mount a volume or a folder there, or set BACKUP_DIR_MOUNTED=false.',
  });
}

/** The fifth field of each line is a mount point; spaces and such are octal there. */
export function isBelowMount(path: string, mountInfo: string): boolean {
  return mountInfo.split('\n').some((line) => {
    const point = line.split(' ')[4]?.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    return point !== undefined && point !== '/' && (path === point || path.startsWith(`${point}/`));
  });
}
