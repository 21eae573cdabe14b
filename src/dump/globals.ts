import { libpqEnvironment, type ConnectionOptions } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { runProgram } from '../postgres/run-program.ts';

/**
 * Roles and tablespaces of the whole server as SQL (`pg_dumpall --globals-only`), without passwords unless asked: those can
 * be read only by a superuser, and a backup that holds them must be kept like one. Small: held in memory.
 */
export async function readGlobals(
  connection: ConnectionOptions,
  programs: ClientPrograms,
  options: { readonly passwords: boolean },
  signal: AbortSignal,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  const args = ['--globals-only', '--no-password', ...(options.passwords ? [] : ['--no-role-passwords'])];
  await runProgram(programs.path('pg_dumpall'), args, {
    env: { ...libpqEnvironment(connection), LC_ALL: 'C' },
    signal,
    stdout: (chunk) => void parts.push(chunk),
  });
  return Buffer.concat(parts);
}
