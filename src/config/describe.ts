import type { Environment } from './environment-layer.ts';
import type { Layer, Problem } from './layer.ts';
import { mergeLayers, type Values } from './merge.ts';
import { configFolder, environmentName, readLayers } from './read-layers.ts';
import { createRedactor } from './secrets.ts';
import { isOfSource, keyInSource, SETTINGS } from './settings.ts';

/** One setting as it holds, for people. */
export interface ShownSetting {
  readonly key: string;
  /** A mask for what is secret and set. */
  readonly value: unknown;
  /** The file or variable that decided, or `default`. */
  readonly origin: string;
}

export interface ShownConfig {
  readonly environment: string;
  /** Where the files are. */
  readonly folder: string;
  /** What holds for all sources. */
  readonly settings: readonly ShownSetting[];
  /** What each of `sources` says for itself. */
  readonly sources: readonly { readonly name: string; readonly settings: readonly ShownSetting[] }[];
}

const MASK = '***';

/** Every setting with where it comes from. What is wrong anywhere is left out, not told: `loadConfigs` does that. Never throws. */
export function describeConfig({ env, configDirectory }: { env: Environment; configDirectory: string }): ShownConfig {
  const problems: Problem[] = [];
  const environment = environmentName(env);
  const { layers, sources } = readLayers(env, configDirectory, environment, problems);
  const base = mergeLayers(layers, problems);
  return {
    environment,
    folder: configFolder(env, configDirectory),
    settings: shown(SETTINGS, base, ({ key }) => key),
    sources: [...sources].map(([name, own]) => ({ name, settings: ofSource(layers, own, problems) })),
  };
}

function ofSource(layers: readonly Layer[], own: Layer, problems: Problem[]): ShownSetting[] {
  const said = SETTINGS.filter((setting) => isOfSource(setting) && own.has(setting.key));
  return shown(said, mergeLayers([...layers, own], problems), keyInSource);
}

function shown(
  settings: typeof SETTINGS,
  values: Values,
  nameOf: (setting: (typeof SETTINGS)[number]) => string,
): ShownSetting[] {
  // A secret may be part of something that is none.
  const redact = createRedactor(values.secrets());
  return settings.map((setting) => {
    const value = values.value(setting.key);
    const isSet = value !== null && value !== '';
    const masked = setting.secret === true && isSet ? MASK : value;
    return {
      key: nameOf(setting),
      value: typeof masked === 'string' ? redact(masked) : masked,
      origin: values.origin(setting.key),
    };
  });
}
