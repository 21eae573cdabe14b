import type { Format } from './formats.ts';

/** One thing that can be set, in a file or in the environment. */
export interface Setting {
  /** Its place in a configuration file, parts joined by dots. */
  readonly key: string;
  readonly format: Format;
  readonly default: unknown;
  /** Environment variables, the strongest first. */
  readonly env: readonly string[];
  readonly about: string;
  /** Never shown anywhere. */
  readonly secret?: true;
  /** Whether `<variable>_FILE` may name a file that holds the value; so for every secret. */
  readonly fromFile?: true;
}
