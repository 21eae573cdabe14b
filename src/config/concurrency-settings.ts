import { integer } from './formats.ts';
import type { Setting } from './setting.ts';

/** How much happens at the same time when there are several sources. */
export const CONCURRENCY_SETTINGS: readonly Setting[] = [
  {
    key: 'concurrency.overall',
    format: integer(1, 64),
    default: 2,
    env: ['BACKUP_CONCURRENCY'],
    about:
      'How many jobs of the daemon run at the same time. The others wait for their turn, in the order in which they were due.',
  },
  {
    key: 'concurrency.perServer',
    format: integer(1, 64),
    default: 1,
    env: ['BACKUP_CONCURRENCY_PER_SERVER'],
    about: 'How many databases of one server are dumped at the same time.',
  },
];
