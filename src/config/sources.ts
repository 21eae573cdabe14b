import type { Layer, Problem } from './layer.ts';
import type { Values } from './merge.ts';
import { isEveryDatabase } from './source-connection.ts';
import { isOfSource, keyInSource, SETTINGS } from './settings.ts';

/** A name of at most 100 characters that is not a path or an option on a command line. */
const NAME = /^[^\0\n/\s-][^\0\n/]{0,99}$/;

/** Rules of the list of sources itself. Without one, everything is as the variables and `source` say. */
export function checkSources(base: Values, sources: ReadonlyMap<string, Layer>, problems: Problem[]): void {
  if (sources.size === 0) {
    if (isEveryDatabase(base) && base.text('source.name') === '') {
      const says = 'expected a name (BACKUP_SOURCE_NAME), as source.database is "*": backups are called <name>.<database>';
      problems.push({ key: 'source.name', origin: base.origin('source.name'), says });
    }
    return;
  }
  for (const [name, own] of sources) {
    if (own.get('source.database')?.value !== '*') continue;
    const taken = [...sources.keys()].find((other) => other.startsWith(`${name}.`));
    if (taken === undefined) continue;
    const says = `expected a name that does not begin with "${name}.": so are the databases of ${name} called`;
    problems.push({ key: `sources.${taken}`, origin: 'its name', says });
  }
  for (const name of sources.keys()) {
    if (NAME.test(name)) continue;
    problems.push({ key: `sources.${name}`, origin: 'its name', says: 'expected a name of 1 to 100 characters without "/"' });
  }
  for (const key of ['source.name', 'source.database']) {
    if (!base.has(key) || base.text(key) === '') continue;
    const says = 'it names one source, and there is a list of them (sources): expected one of the two';
    problems.push({ key, origin: base.origin(key), says });
  }
  if (sources.size > 1) for (const key of PINGS) if (base.text(key) !== '') problems.push(onePingForAll(base, key));
}

const PINGS = SETTINGS.map(({ key }) => key).filter((key) => /^notify\.ping\.(?!exitStatus)/.test(key));

function onePingForAll(base: Values, key: string): Problem {
  const says = 'expected below each source: one that succeeds would hide another that fails (sources.<name>.notify.ping)';
  return { key, origin: base.origin(key), says };
}

interface Checked {
  readonly name: string;
  readonly problems: readonly Problem[];
}

/** What is wrong with the sources, each problem once, under the key where it is to be mended. */
export function problemsOfSources(found: readonly Checked[], listed: boolean, sources: ReadonlyMap<string, Layer>): Problem[] {
  if (!listed) return found.flatMap(({ problems }) => problems);
  const told = new Map<string, Problem>();
  for (const { name, problems } of found) {
    for (const problem of problems) {
      const setting = SETTINGS.find(({ key }) => key === problem.key);
      // What all of them have from outside is wrong there, unless only this one makes it so.
      const everywhere = found.every((other) => other.problems.some((each) => JSON.stringify(each) === JSON.stringify(problem)));
      const own = setting !== undefined && isOfSource(setting) && (!everywhere || sources.get(name)?.has(problem.key) === true);
      const needed = setting?.default === null;
      const key = setting && (own || needed) ? `sources.${name}.${keyInSource(setting)}` : problem.key;
      told.set(`${key} ${problem.says}`, { ...problem, key });
    }
  }
  return [...told.values()];
}
