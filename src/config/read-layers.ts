import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { readEnvironmentLayer, type Environment } from './environment-layer.ts';
import { readFileLayer } from './file-layer.ts';
import type { Layer, Problem } from './layer.ts';
import { DIRECTORY_VARIABLE, ENVIRONMENT_VARIABLES } from './settings.ts';

/** The name of the file beside `default.json`. */
export function environmentName(env: Environment): string {
  for (const name of ENVIRONMENT_VARIABLES) {
    const value = env[name] ?? '';
    if (value !== '') return value;
  }
  return 'production';
}

/** The folder of the files: the given one, unless the environment names another. */
export function configFolder(env: Environment, given: string): string {
  const named = env[DIRECTORY_VARIABLE] ?? '';
  return resolve(named === '' ? given : named);
}

export interface Layers {
  /** All that sets something for all sources, the weakest first. */
  readonly layers: readonly Layer[];
  /** What each of `sources` says for itself, stronger than all of these. */
  readonly sources: ReadonlyMap<string, Layer>;
}

/** Reads all there is. What cannot be read or does not fit is left out and told in `problems`. */
export function readLayers(env: Environment, configDirectory: string, environment: string, problems: Problem[]): Layers {
  const directory = configFolder(env, configDirectory);
  if ((env[DIRECTORY_VARIABLE] ?? '') !== '' && !existsSync(directory)) {
    problems.push({ key: DIRECTORY_VARIABLE, origin: 'environment', says: `expected a folder, there is no ${directory}` });
  }
  const chosen = env[ENVIRONMENT_VARIABLES[0]] ?? '';
  const ofEnvironment = /^[\w.-]+$/.test(environment)
    ? readFileLayer(join(directory, `${environment}.json`), problems)
    : undefined;
  // NODE_ENV has values for reasons of others; who sets ours means a file.
  if (ofEnvironment === undefined && chosen !== '') {
    problems.push({
      key: ENVIRONMENT_VARIABLES[0],
      origin: 'environment',
      says: `expected the name of a file in ${directory} (without .json), got ${JSON.stringify(chosen)}`,
    });
  }
  const ofAll = readFileLayer(join(directory, 'default.json'), problems);
  const files = [ofAll, ofEnvironment].filter((file) => file !== undefined);
  const sources = new Map<string, Layer>();
  for (const [name, own] of files.flatMap((file) => [...file.sources])) {
    sources.set(name, new Map([...(sources.get(name) ?? []), ...own]));
  }
  return { layers: [...files.map(({ layer }) => layer), readEnvironmentLayer(env, problems)], sources };
}
