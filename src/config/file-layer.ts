import { readFileSync } from 'node:fs';

import { unfit, type Layer, type Problem } from './layer.ts';
import { nearest } from './nearest.ts';
import { readNamedFile } from './named-file.ts';
import type { Setting } from './setting.ts';
import { isOfSource, keyInSource, SETTINGS } from './settings.ts';

/** The key of a file below which each source has its own settings. */
const SOURCES = 'sources';
const OF_ALL: ReadonlyMap<string, Setting> = new Map(SETTINGS.map((setting) => [setting.key, setting]));
const OF_A_SOURCE: ReadonlyMap<string, Setting> = new Map(
  SETTINGS.filter(isOfSource).map((setting) => [keyInSource(setting), setting]),
);

export interface FileLayer {
  readonly layer: Layer;
  /** What each of the file's sources says for itself, by name. */
  readonly sources: ReadonlyMap<string, Layer>;
}

const NOTHING: FileLayer = { layer: new Map(), sources: new Map() };

/** Reads one JSON file of settings; undefined when there is no such file. */
export function readFileLayer(file: string, problems: Problem[]): FileLayer | undefined {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    problems.push({ key: 'file', origin: file, says: `cannot be read: ${(error as Error).message}` });
    return NOTHING;
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch {
    // The parser's own message quotes the text around the place, which may be a secret.
    problems.push({ key: 'file', origin: file, says: 'expected JSON (without comments or trailing commas), cannot be parsed' });
    return NOTHING;
  }
  if (!isObject(parsed)) {
    problems.push({ key: 'file', origin: file, says: 'expected a JSON object' });
    return NOTHING;
  }
  const { [SOURCES]: sources, ...others } = parsed;
  return {
    layer: walk(others, { settings: OF_ALL, within: '', file, problems }),
    sources: sources === undefined ? new Map() : readSources(sources, file, problems),
  };
}

function readSources(sources: unknown, file: string, problems: Problem[]): Map<string, Layer> {
  if (!isObject(sources)) {
    problems.push({ key: SOURCES, origin: file, says: 'expected an object: the name of each source, and its settings' });
    return new Map();
  }
  return new Map(
    Object.entries(sources).map(([name, own]) => {
      const within = `${SOURCES}.${name}.`;
      if (isObject(own)) return [name, walk(own, { settings: OF_A_SOURCE, within, file, problems })];
      problems.push({ key: `${SOURCES}.${name}`, origin: file, says: 'expected an object with the settings of this source' });
      return [name, new Map()];
    }),
  );
}

interface Place {
  /** By the keys that they have there. */
  readonly settings: ReadonlyMap<string, Setting>;
  /** What messages put before these keys. */
  readonly within: string;
  readonly file: string;
  readonly problems: Problem[];
}

/** The values of an object and of those in it, by the keys of their settings. */
function walk(object: Record<string, unknown>, place: Place, above = ''): Layer {
  const { settings, within, file, problems } = place;
  const layer = new Map<string, { value: unknown; origin: string }>();
  for (const [name, value] of Object.entries(object)) {
    const key = above + name;
    const setting = settings.get(key);
    if (setting !== undefined) {
      const found = readValue({ ...setting, key: within + key }, value, file, problems);
      if (found) layer.set(setting.key, found);
    } else if ([...settings.keys()].some((candidate) => candidate.startsWith(`${key}.`))) {
      if (isObject(value)) for (const [inner, found] of walk(value, place, `${key}.`)) layer.set(inner, found);
      else problems.push({ key: within + key, origin: file, says: 'expected an object with the settings below it' });
    } else {
      const meant = nearest(key, namesIn(settings, above)) ?? '';
      const shared = within !== '' && OF_ALL.has(key);
      const says = shared
        ? 'it holds for all sources: set it outside of them'
        : `there is no such setting; did you mean ${meant}?`;
      problems.push({ key: within + key, origin: file, says });
    }
  }
  return layer;
}

function readValue(setting: Setting, value: unknown, file: string, problems: Problem[]) {
  if (setting.fromFile === true && isObject(value)) {
    const named = value['file'];
    if (typeof named === 'string' && named !== '' && Object.keys(value).length === 1) {
      const found = readNamedFile(setting, file, named, problems);
      if (found === undefined) return undefined;
      const content = setting.format.fromText(found.text);
      if (setting.format.valid(content)) return { value: content, origin: found.origin };
      problems.push(unfit(setting, found.text, found.origin));
    } else {
      problems.push({ key: setting.key, origin: file, says: `expected ${setting.format.expected}, or {"file": "<its path>"}` });
    }
    return undefined;
  }
  if (setting.format.valid(value)) return { value, origin: file };
  // As default.json has it: no value.
  if (value !== null || setting.default !== null) problems.push(unfit(setting, value, file));
  return undefined;
}

/** Full keys for what is misplaced, and the groups beside it for what is misspelt. */
function namesIn(settings: Place['settings'], above: string): string[] {
  const keys = [...settings.keys()];
  const groups = keys.filter((key) => key.startsWith(above)).map((key) => above + (key.slice(above.length).split('.')[0] ?? ''));
  return [...new Set([...groups, ...keys])];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
