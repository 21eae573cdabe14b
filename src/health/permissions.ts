import type { BackupError } from '../errors.ts';
import { fail, ok, unchecked, warn, type HealthCheck } from './check.ts';

/** A file or folder as the file system shows it. */
export interface Seen {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  /** `private`: nobody else reads it. `shared`: others may read it, for auditors. */
  readonly use: 'private' | 'shared';
}

export interface PermissionsInput {
  /** Absent: there is no folder on this machine. */
  readonly seen: readonly Seen[];
  /** Accounts that these may belong to: our own, and root. */
  readonly owners: readonly number[];
}

const OTHERS = 0o007;
const GROUP = 0o070;
const WRITE = 0o022;
const STICKY = 0o1000;
/** How many paths are named. */
const NAMED = 3;

/** Whether only those may read and write what is stored who should. */
export function checkPermissions(input: PermissionsInput | BackupError): HealthCheck {
  const subject = { check: 'permissions' } as const;
  if (input instanceof Error) return unchecked(subject, 'warn', input);
  const { seen, owners } = input;
  if (seen.length === 0) return ok(subject, 'nothing is kept on this machine');
  const open = seen.filter(({ mode, use }) => use === 'private' && (mode & OTHERS & ~(mode & STICKY ? 0o002 : 0)) !== 0);
  const writable = seen.filter(({ mode, use }) => use === 'shared' && (mode & WRITE) !== 0 && (mode & STICKY) === 0);
  const foreign = seen.filter(({ uid }) => !owners.includes(uid));
  const group = seen.filter((each) => each.use === 'private' && (each.mode & GROUP) !== 0 && !open.includes(each));
  const bad = [
    ...told(open, 'open to everybody on the machine', 'chmod o-rwx'),
    ...told(writable, 'writable by others', 'chmod go-w'),
    ...told(foreign, 'owned by another account', 'chown to the account of the backup'),
  ];
  const worth = told(group, 'open to a group', 'chmod g-rwx, unless that group is meant to read all data');
  const all = [...bad, ...worth];
  if (all.length === 0) return ok(subject, `${seen.length} files and folders, none open to others`);
  const says = all.map((each) => each.says).join('; ');
  const hint = `${all.map((each) => each.remedy).join('; ')}.`;
  return bad.length > 0 ? fail(subject, says, hint) : warn(subject, says, hint);
}

function told(group: readonly Seen[], what: string, remedy: string): { readonly says: string; readonly remedy: string }[] {
  if (group.length === 0) return [];
  const more = group.length > NAMED ? ` and ${group.length - NAMED} more` : '';
  const names = group.slice(0, NAMED).map(({ path, mode }) => `${path} (${(mode & 0o7777).toString(8)})`);
  return [{ says: `${names.join(', ')}${more}: ${what}`, remedy }];
}
