import type { Setting } from './setting.ts';

/** Something wrong with the configuration, for the person who wrote it. */
export interface Problem {
  /** The key of the setting, or what else was named. */
  readonly key: string;
  /** The file or the environment variable it came from. */
  readonly origin: string;
  readonly says: string;
}

/** The values that one origin sets, each with where exactly it was found. */
export type Layer = ReadonlyMap<string, { readonly value: unknown; readonly origin: string }>;

/** The problem of a value that does not fit its setting. A secret is not repeated. */
export function unfit(setting: Setting, value: unknown, origin: string): Problem {
  const got = setting.secret === true ? 'something else' : JSON.stringify(value);
  const note =
    setting.key === 'source.port' && typeof value === 'string' && value.startsWith('tcp://')
      ? ' (Kubernetes sets this for a service called "postgres"; enableServiceLinks: false stops it)'
      : '';
  return { key: setting.key, origin, says: `expected ${setting.format.expected}, got ${got}${note}` };
}
