import { join } from 'node:path';
import { walFolder } from '../catalog/wal-names.ts';

/** Where the receiver writes: on the disk of the local target, or, without one, in the work folder. */
export function incomingFolder(place: {
  readonly source: string;
  readonly spool?: { readonly root: string };
  readonly workFolder: string;
}): string {
  return join(place.spool?.root ?? join(place.workFolder, 'db-backup-wal'), walFolder(place.source), 'incoming');
}
