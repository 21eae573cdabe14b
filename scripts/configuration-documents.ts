import { tree } from '../src/config/merge.ts';
import { DIRECTORY_VARIABLE, isOfSource, keyInSource, SETTINGS } from '../src/config/settings.ts';

/** The files that are made from the list of settings, by path. */
export function configurationDocuments(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/configuration.md', reference()],
    ['config/default.json', `${JSON.stringify(tree(SETTINGS.map(({ key, default: value }) => [key, value])), null, 2)}\n`],
    ['config/.env.example', environmentExample()],
  ]);
}

function reference(): string {
  return `# Configuration

<!-- Made by \`npm run docs:configuration\` from src/config/settings.ts: change it there. -->

Later sources win over earlier ones:

1. \`config/default.json\`: every setting with its default;
2. \`config/<environment>.json\`: what differs in one environment. The environment is named by \`DB_BACKUP_ENV\`, else by
   \`NODE_ENV\`, else it is \`production\`. A file that \`DB_BACKUP_ENV\` names must exist;
3. environment variables. Of several for one setting, the first in the table wins. An empty one counts as not set;
4. for one of several databases, what \`sources\` in a file says for it ([sources](sources.md)).

\`${DIRECTORY_VARIABLE}\` names another folder for these files.

A setting marked *file* can also be read from a file: \`POSTGRES_PASSWORD_FILE=/run/secrets/password\` stands for the
content of that file, without the line end. Setting both is an error. In a configuration file, \`{"file": "/run/secrets/password"}\` in
the place of the value does the same.

Nothing is guessed: an unknown or mistyped key in a file, or a variable that begins with \`BACKUP_\`, \`DB_BACKUP_\`, \`EVIDENCE_\` or
\`POSTGRES_\` and is not listed here, stops the start, and the message names the nearest valid one. (Variables of the official
PostgreSQL image and those that Kubernetes sets for services are let through.) All problems are reported at once. Secrets
never appear in messages, logs, reports or process lists.

${groups()
  .map(([group, settings]) => `## ${group}\n\n${settings.map(entry).join('\n')}`)
  .join('\n')}`;
}

type Settings = typeof SETTINGS;

function groups(): [string, Settings][] {
  const names = [...new Set(SETTINGS.map(({ key }) => key.split('.')[0]!))];
  return names.map((name) => [name, SETTINGS.filter(({ key }) => key.startsWith(`${name}.`))]);
}

function entry(setting: Settings[number]): string {
  const { key, format, default: value, env, about, secret, fromFile } = setting;
  const ofSource = isOfSource(setting) ? `\n- For one of \`sources\`: \`${keyInSource(setting)}\`` : '';
  const notes = [secret === true ? 'secret' : '', fromFile === true ? 'file' : ''].filter((note) => note !== '');
  const variables = env.map((name) => `\`${name}\``).join(', ');
  return `### \`${key}\`

${about}

- Variables: ${variables}${notes.length === 0 ? '' : ` (*${notes.join(', ')}*)`}
- Default: ${shown(value)}
- Expected: ${format.expected}${ofSource}
`;
}

function shown(value: unknown): string {
  if (value === null) return 'none, it must be set';
  if (value === '' || (Array.isArray(value) && value.length === 0)) return 'nothing';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function environmentExample(): string {
  const lines = SETTINGS.flatMap(({ env, about, format, default: value, fromFile }) => [
    `# ${about.replaceAll('`', '')}`,
    `# Expected: ${format.expected}.`,
    ...(fromFile === true ? [`# Or, from a file: ${env[0]!}_FILE=/run/secrets/…`] : []),
    `#${env[0]!}=${typeof value === 'string' ? value : JSON.stringify(value ?? '').replaceAll(/["[\]]/g, '')}`,
    '',
  ]);
  return `# Made by \`npm run docs:configuration\`. Copy it to .env and take away the "#" where you want another value.\n\n${lines.join('\n')}`;
}
