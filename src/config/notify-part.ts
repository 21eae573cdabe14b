import { join, resolve } from 'node:path';

import type { Environment } from './environment-layer.ts';
import { mergeLayers } from './merge.ts';
import { notifyConfig, type NotifyConfig } from './notify-config.ts';
import { environmentName, readLayers } from './read-layers.ts';
import { createRedactor } from './secrets.ts';

/** As much of a configuration as it takes to tell somebody that the rest of it is wrong. */
export interface NotifyPart {
  readonly notify: NotifyConfig;
  /** The name of the source; absent when that is not known, or when there are several. */
  readonly source?: string;
  /** Folder of the reports. */
  readonly reports: string;
  readonly redact: (text: string) => string;
}

/** Reads only the part about alerts; what is wrong anywhere is left out, not told: `loadConfig` does that. Never throws. */
export function readNotifyPart({ env, configDirectory }: { env: Environment; configDirectory: string }): NotifyPart {
  const { layers, sources } = readLayers(env, configDirectory, environmentName(env), []);
  const values = mergeLayers(layers, []);
  const directory = resolve(values.text('targets.local.directory'));
  const source = sources.size > 0 ? '' : values.text('source.name') || values.text('source.database');
  return {
    notify: notifyConfig(values),
    ...(source !== '' && { source }),
    reports: resolve(values.text('paths.reports') || join(directory, 'logs')),
    redact: createRedactor(values.secrets()),
  };
}
