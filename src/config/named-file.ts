import { readFileSync } from 'node:fs';

import type { Problem } from './layer.ts';
import type { Setting } from './setting.ts';

/**
 * The value of a setting that lies in a file of its own, named at `where`; undefined with a problem when there is none. Line ends at
 * the end are not part of it: editors and `echo` put them there.
 */
export function readNamedFile(
  setting: Setting,
  where: string,
  file: string,
  problems: Problem[],
): { text: string; origin: string } | undefined {
  const origin = `file ${file} (${where})`;
  try {
    const text = readFileSync(file, 'utf8').replace(/[\r\n]+$/, '');
    if (text !== '') return { text, origin };
    problems.push({ key: setting.key, origin, says: `expected ${setting.format.expected}, the file is empty` });
  } catch (error) {
    problems.push({ key: setting.key, origin, says: `cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}` });
  }
  return undefined;
}
