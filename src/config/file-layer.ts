import { readFileSync } from 'node:fs';

import { unfit, type Layer, type Problem } from './layer.ts';
import { nearest } from './nearest.ts';
import { SETTINGS } from './settings.ts';

/** Reads one JSON file of settings; undefined when there is no such file. */
export function readFileLayer(file: string, problems: Problem[]): Layer | undefined {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    problems.push({ key: 'file', origin: file, says: `cannot be read: ${(error as Error).message}` });
    return new Map();
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch {
    // The parser's own message quotes the text around the place, which may be a secret.
    problems.push({ key: 'file', origin: file, says: 'expected JSON (without comments or trailing commas), cannot be parsed' });
    return new Map();
  }
  if (!isObject(parsed)) {
    problems.push({ key: 'file', origin: file, says: 'expected a JSON object' });
    return new Map();
  }
  const layer = new Map<string, { value: unknown; origin: string }>();
  walk(parsed, '', file, layer, problems);
  return layer;
}

function walk(
  object: Record<string, unknown>,
  above: string,
  file: string,
  layer: Map<string, { value: unknown; origin: string }>,
  problems: Problem[],
): void {
  for (const [name, value] of Object.entries(object)) {
    const key = above + name;
    const setting = SETTINGS.find((candidate) => candidate.key === key);
    if (setting !== undefined) {
      if (setting.format.valid(value)) layer.set(key, { value, origin: file });
      // As default.json has it: no value.
      else if (value !== null || setting.default !== null) problems.push(unfit(setting, value, file));
    } else if (SETTINGS.some((candidate) => candidate.key.startsWith(`${key}.`))) {
      if (isObject(value)) walk(value, `${key}.`, file, layer, problems);
      else problems.push({ key, origin: file, says: 'expected an object with the settings below it' });
    } else {
      const meant = nearest(key, names(above)) ?? '';
      problems.push({ key, origin: file, says: `there is no such setting; did you mean ${meant}?` });
    }
  }
}

/** Full keys for what is misplaced, and the groups beside it for what is misspelt. */
function names(above: string): string[] {
  const groups = SETTINGS.filter(({ key }) => key.startsWith(above)).map(
    ({ key }) => above + (key.slice(above.length).split('.')[0] ?? ''),
  );
  return [...new Set([...groups, ...SETTINGS.map(({ key }) => key)])];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
