import { BackupError } from '../../src/errors.ts';
import { findPrograms, type ClientPrograms } from '../../src/postgres/programs.ts';

const NEWEST = 19;
const OLDEST = 12;

/** The newest PostgreSQL on this machine that comes with its server. */
export async function findServerPrograms(searchPath: string): Promise<ClientPrograms> {
  for (let major = NEWEST; ; major -= 1) {
    try {
      return await findPrograms({ serverMajor: major, server: true, searchPath });
    } catch (error) {
      if (!(error instanceof BackupError) || error.code !== 'CLIENT_PROGRAM_MISSING') throw error;
      if (major > OLDEST) continue;
      throw new BackupError('CLIENT_PROGRAM_MISSING', 'there is no PostgreSQL server on this machine to demonstrate with', {
        hint: 'Install one (apt-get install postgresql) and run `npm run demo` again.',
      });
    }
  }
}
