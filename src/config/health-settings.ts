import { cron, integer } from './formats.ts';
import type { Setting } from './setting.ts';

/** When health is looked at, and how much the daemon's own log file may hold. */
export const HEALTH_SETTINGS: readonly Setting[] = [
  {
    key: 'schedule.health',
    format: cron,
    default: '0 * * * *',
    env: ['BACKUP_HEALTH_SCHEDULE'],
    about: 'When the health check runs, as a cron expression. See [health](health.md).',
  },
  {
    key: 'log.fileMebibytes',
    format: integer(1, 1024, 'MiB'),
    default: 10,
    env: ['BACKUP_LOG_FILE_MEBIBYTES'],
    about: 'How large `daemon.log`, beside the reports, may become before a new one is begun.',
  },
  {
    key: 'log.files',
    format: integer(1, 100),
    default: 5,
    env: ['BACKUP_LOG_FILES'],
    about: 'How many of these log files there are at most.',
  },
];
