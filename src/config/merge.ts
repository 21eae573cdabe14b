import convict from 'convict';

import type { Layer, Problem } from './layer.ts';
import { SETTINGS } from './settings.ts';

/** The merged values. Every key asked for must be one of the settings. */
export interface Values {
  value(key: string): unknown;
  text(key: string): string;
  number(key: string): number;
  is(key: string): boolean;
  list(key: string): readonly string[];
  has(key: string): boolean;
  /** The file or variable that decided, or `default`. */
  origin(key: string): string;
  /** All that is secret and set, and what else is given. */
  secrets(...others: readonly (string | undefined)[]): string[];
}

/** Puts later layers over earlier ones; the schema, made of the settings, has the defaults and the last word. */
export function mergeLayers(layers: readonly Layer[], problems: Problem[]): Values {
  const merged = convict<Record<string, unknown>>(schema(), { env: {}, args: [] });
  const origins = new Map<string, string>();
  for (const layer of layers) {
    merged.load(tree([...layer].map(([key, { value }]) => [key, value] as const)));
    for (const [key, { origin }] of layer) origins.set(key, origin);
  }
  try {
    merged.validate({ allowed: 'strict' });
  } catch (error) {
    // Each layer was checked as it was read: this is for what only the whole can show.
    problems.push({ key: 'configuration', origin: 'all', says: (error as Error).message });
  }
  const value = (key: string): unknown => merged.get(key);
  return {
    value,
    text: (key) => (value(key) ?? '') as string,
    number: (key) => Number(value(key)),
    is: (key) => value(key) === true,
    list: (key) => value(key) as readonly string[],
    has: (key) => value(key) !== null,
    origin: (key) => origins.get(key) ?? 'default',
    secrets: (...others) =>
      [...SETTINGS.filter(({ secret }) => secret === true).map(({ key }) => value(key)), ...others].filter(
        (secret): secret is string => typeof secret === 'string' && secret !== '',
      ),
  };
}

/** Dotted keys with their values as nested objects: the shape of a configuration file. */
export function tree(entries: readonly (readonly [key: string, value: unknown])[]): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [key, value] of entries) {
    const parts = key.split('.');
    const last = parts.pop()!;
    let node = root;
    for (const part of parts) node = (node[part] ??= {}) as Record<string, unknown>;
    node[last] = value;
  }
  return root;
}

function schema(): convict.Schema<Record<string, unknown>> {
  const leaves = SETTINGS.map((setting) => {
    const format = (value: unknown): void => {
      const unset = value === null && setting.default === null;
      if (!unset && !setting.format.valid(value)) throw new Error(`expected ${setting.format.expected}`);
    };
    return [setting.key, { doc: setting.about, default: setting.default, format, sensitive: setting.secret === true }] as const;
  });
  return tree(leaves) as convict.Schema<Record<string, unknown>>;
}
