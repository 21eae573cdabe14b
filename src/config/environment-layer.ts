import { unfit, type Layer, type Problem } from './layer.ts';
import { readNamedFile } from './named-file.ts';
import { nearest } from './nearest.ts';
import type { Setting } from './setting.ts';
import { DIRECTORY_VARIABLE, ENVIRONMENT_VARIABLES, SETTINGS } from './settings.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Prefixes that are ours: a name that begins so and is not known is a slip that would otherwise go unnoticed. */
const OURS = /^(?:DB_BACKUP_|BACKUP_|CLEANUP_|DRILL_|RETENTION_|SCRUB_|POSTGRES_|EVIDENCE_)/;

/** Names with our prefixes that others set: the official PostgreSQL image, and Kubernetes or Docker for services. */
const OF_OTHERS = [
  /^POSTGRES_(?:INITDB_ARGS|INITDB_WALDIR|HOST_AUTH_METHOD)(?:_FILE)?$/,
  /_SERVICE_(?:HOST|PORT)(?:_|$)/,
  /_PORT_\d+_(?:TCP|UDP)/,
];

/** Reads every setting that the environment has. An empty variable counts as not set, as compose files leave them. */
export function readEnvironmentLayer(env: Environment, problems: Problem[]): Layer {
  const layer = new Map<string, { value: unknown; origin: string }>();
  for (const setting of SETTINGS) {
    const found = firstSet(setting, env, problems);
    if (found === undefined) continue;
    const value = setting.format.fromText(found.text);
    if (setting.format.valid(value)) layer.set(setting.key, { value, origin: found.origin });
    else problems.push(unfit(setting, found.text, found.origin));
  }
  problems.push(...unknownVariables(env));
  return layer;
}

/** Every variable that is looked at. */
function knownVariables(): string[] {
  const settings = SETTINGS.flatMap(({ env, fromFile }) =>
    fromFile === true ? env.flatMap((name) => [name, `${name}_FILE`]) : env,
  );
  return [...settings, ...ENVIRONMENT_VARIABLES, DIRECTORY_VARIABLE];
}

function firstSet(setting: Setting, env: Environment, problems: Problem[]): { text: string; origin: string } | undefined {
  for (const name of setting.env) {
    const direct = env[name] ?? '';
    const file = setting.fromFile === true ? (env[`${name}_FILE`] ?? '') : '';
    if (direct !== '' && file !== '') {
      problems.push({ key: setting.key, origin: name, says: `${name} and ${name}_FILE are both set; expected one of them` });
      return undefined;
    }
    if (direct !== '') return { text: direct, origin: `environment variable ${name}` };
    if (file !== '') return readNamedFile(setting, `environment variable ${name}_FILE`, file, problems);
  }
  return undefined;
}

function unknownVariables(env: Environment): Problem[] {
  const known = knownVariables();
  return Object.keys(env)
    .filter((name) => OURS.test(name) && !known.includes(name) && !OF_OTHERS.some((pattern) => pattern.test(name)))
    .filter((name) => !/^(?:tcp|udp):\/\//.test(env[name] ?? ''))
    .map((name) => ({
      key: name,
      origin: 'environment',
      says: `there is no such variable; did you mean ${nearest(name, known) ?? ''}?`,
    }));
}
