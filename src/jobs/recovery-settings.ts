import { access, appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecoveryTarget } from '../wal/choose-window.ts';
import type { RecoverableWindow } from '../wal/recoverable.ts';
import type { RecoverRequest } from './plan-recovery.ts';

const MARK = '# Written by db-backup for this recovery\n';

/** What the server has to know to recover to the target, and the file that makes it do so. */
export async function writeSettings(
  { target, action, apart }: RecoverRequest,
  window: RecoverableWindow,
  into: string,
  restoreCommand: string,
): Promise<void> {
  const settings: Record<string, string> = {
    restore_command: restoreCommand,
    recovery_target_timeline: String(window.timeline),
    recovery_target_action: action ?? 'promote',
    ...targetSetting(target),
  };
  const lines = Object.entries(settings).map(
    ([name, value]) => `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'\n`,
  );
  // What ALTER SYSTEM has set on the source is not for a copy that only we start.
  const write = apart === true ? writeFile : appendFile;
  await write(join(into, 'postgresql.auto.conf'), MARK + lines.join(''), { mode: 0o600 });
  // Some packages keep these elsewhere: a server does not start without them.
  for (const [name, text] of [
    ['postgresql.conf', ''],
    ['pg_hba.conf', 'local all all peer\n'],
  ] as const) {
    const path = join(into, name);
    await access(path).catch(() => writeFile(path, MARK + text, { mode: 0o600 }));
  }
  // Of a backup of a standby: with it the server would follow the primary, beyond the target, and never open.
  await rm(join(into, 'standby.signal'), { force: true });
  await writeFile(join(into, 'recovery.signal'), '', { mode: 0o600 });
}

/** The libraries that the source loads at its start, as far as its own folder says: some packages keep `postgresql.conf` elsewhere. */
export async function preloadedOnSource(into: string): Promise<string[]> {
  let value = '';
  for (const name of ['postgresql.conf', 'postgresql.auto.conf']) {
    const text = await readFile(join(into, name), 'utf8').catch(() => '');
    const last = [...text.matchAll(/^\s*shared_preload_libraries\s*=?\s*'((?:[^']|'')*)'/gim)].at(-1);
    value = last?.[1] ?? value;
  }
  return value.split(',').flatMap((name) => name.trim().replaceAll('"', '') || []);
}

function targetSetting(target: RecoveryTarget): Record<string, string> {
  switch (target.kind) {
    case 'latest':
      return {};
    case 'immediate':
      return { recovery_target: 'immediate' };
    case 'time':
      // Of zones the server takes only numbers here.
      return { recovery_target_time: target.time.replace('T', ' ').replace(/Z$/i, '+00') };
    case 'lsn':
      return { recovery_target_lsn: target.lsn };
    default:
      return { [`recovery_target_${target.kind}`]: target.value };
  }
}
