import { dirname, join, resolve } from 'node:path';

import { integer, text } from './formats.ts';
import type { Values } from './merge.ts';
import type { Setting } from './setting.ts';

/** Programs of others that run around a backup. */
export const HOOK_SETTINGS: readonly Setting[] = [
  {
    key: 'hooks.directory',
    format: text('the path of a folder'),
    default: '',
    env: ['BACKUP_HOOKS_DIR'],
    about:
      'Folder of `pre-backup.d`, `post-backup.d` and `error-backup.d`, whose executables run around a backup. By default `hooks` beside the folder of the configuration.',
  },
  {
    key: 'hooks.timeoutSeconds',
    format: integer(1, 86_400, 'seconds'),
    default: 300,
    env: ['BACKUP_HOOK_TIMEOUT'],
    about: 'How long each hook may take before it is killed, with all it started.',
  },
];

export interface HooksConfig {
  /** Absolute. */
  readonly directory: string;
  readonly timeoutSeconds: number;
}

/** `folder`: that of the configuration. */
export function hooksConfig(values: Values, folder: string): HooksConfig {
  return {
    directory: resolve(values.text('hooks.directory') || join(dirname(folder), 'hooks')),
    timeoutSeconds: values.number('hooks.timeoutSeconds'),
  };
}
