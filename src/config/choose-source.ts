import { loadConfigs, type Config, type Configs, type LoadConfigOptions } from '../config.ts';
import { BackupError } from '../errors.ts';
import { maskWhenShown } from './secrets.ts';

/** The one source. Throws `USAGE` when several are configured. */
export function loadConfig(options: LoadConfigOptions): Config {
  return chooseSource(loadConfigs(options), undefined);
}

/**
 * The source of that name, or the only one; `<name>.<database>` is one database of a source that stands for all of a server. Throws
 * `USAGE`, with all names, when there is none of that name, or when one has to be named.
 */
export function chooseSource({ sources }: Pick<Configs, 'sources'>, name: string | undefined): Config {
  const chosen = name === undefined ? (sources.length === 1 ? sources[0] : undefined) : findSource(sources, name);
  if (chosen) return chosen;
  const names = sources.map(({ source }) => (source.every ? `${source.name}.<database>` : source.name)).join(', ');
  const what = name === undefined ? `there are ${sources.length} sources` : `there is no source ${JSON.stringify(name)}`;
  throw new BackupError('USAGE', what, { hint: `Name one with --source: ${names}.` });
}

function findSource(sources: readonly Config[], name: string): Config | undefined {
  const config = sources.find((each) => each.source.name === name || covers(each, name));
  const database = config && databaseOf(config, name);
  return config && database !== undefined ? configOfDatabase(config, database) : config;
}

/** Whether the backups under this name are of this source, or of one of its databases. */
export function covers(config: Config, name: string): boolean {
  return config.source.every ? databaseOf(config, name) !== undefined : config.source.name === name;
}

/** One database of a source that stands for all of its server. */
export function configOfDatabase(config: Config, database: string): Config {
  const { name, connection } = config.source;
  const source: Config['source'] = {
    name: nameOfDatabase(name, database),
    named: true,
    listed: true,
    group: name,
    connection: maskWhenShown({ ...connection, database }, 'password'),
  };
  return Object.defineProperty({ ...config, source }, 'redact', { value: config.redact });
}

/** What the backups of a database are called, by the name of the source that stands for all of its server. */
export function nameOfDatabase(source: string, database: string): string {
  return `${source}.${database}`;
}

function databaseOf({ source }: Config, name: string): string | undefined {
  const prefix = nameOfDatabase(source.name, '');
  return source.every && name.startsWith(prefix) && name !== prefix ? name.slice(prefix.length) : undefined;
}
