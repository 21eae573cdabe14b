import type { Command } from '../run/measure.ts';
import { DATABASE, RESTORED } from '../run/source.ts';
import { dumpFolder, dumpTool, GZIP_LEVEL, ZSTD_LEVEL, type Reader, type Tool, type Workshop } from './tool.ts';

/** `backup-manager` as a user runs it, with a backup directory and everything else at its default. */
function backupManager(
  { source, program, workers }: Workshop,
  args: readonly string[],
  directory: string,
  { digest = true, settings = {} }: { digest?: boolean; settings?: Record<string, string> } = {},
): Command {
  const { host, port, user } = source.server.connection;
  return {
    file: program.node,
    args: [digest ? program.cli : program.cliWithoutDigest, ...args],
    env: {
      POSTGRES_HOST: host,
      POSTGRES_PORT: String(port),
      POSTGRES_USER: user,
      POSTGRES_DB: DATABASE,
      BACKUP_DIR: directory,
      BACKUP_WORKERS: String(workers),
      BACKUP_RESTORE_WORKERS: String(workers),
      BACKUP_PROGRAM_DIRECTORIES: source.programs.directory,
      ...settings,
    },
  };
}

export function ourDumps(shop: Workshop): Tool[] {
  const tool = (id: string, name: string, settings: Record<string, string>, digest = true): Tool =>
    dumpTool(shop, {
      ...{ id, name, kind: 'ours' },
      command: backupManager(shop, ['create-backup'], dumpFolder(shop, id), { digest, settings }),
    });
  const zstd = { BACKUP_CODEC: 'zstd' };
  return [
    tool('ours', 'db-backup', {}),
    tool('ours-gzip-6', `db-backup, gzip ${GZIP_LEVEL}`, { BACKUP_LEVEL: String(GZIP_LEVEL) }),
    tool('ours-zstd', 'db-backup, zstd', zstd),
    tool('ours-zstd-1', `db-backup, zstd ${ZSTD_LEVEL}`, { ...zstd, BACKUP_LEVEL: String(ZSTD_LEVEL) }),
    tool('ours-without-digest', 'db-backup, without digest', {}, false),
    tool('ours-zstd-without-digest', 'db-backup, zstd, without digest', zstd, false),
  ];
}

export function ourRestores(shop: Workshop): Reader[] {
  const restore = ({ id, name }: { id: string; name: string }, reads: string, ...args: readonly string[]): Reader => ({
    ...{ id, name, kind: 'ours', reads },
    command: backupManager(shop, ['restore', 'latest', RESTORED, ...args], dumpFolder(shop, reads)),
  });
  return [
    ...OURS.map((dump) => restore(dump, dump.id)),
    restore({ id: 'ours-without-analyze', name: 'db-backup, without ANALYZE' }, OURS[0].id, '--no-analyze'),
  ];
}

export function ourVerifications(shop: Workshop): Reader[] {
  return OURS.map(({ id, name }) => ({
    ...{ id, name, kind: 'ours', reads: id },
    command: backupManager(shop, ['verify', 'latest'], dumpFolder(shop, id)),
  }));
}

/** The dumps that are read again. */
const OURS = [
  { id: 'ours', name: 'db-backup' },
  { id: 'ours-zstd', name: 'db-backup, zstd' },
] as const;
