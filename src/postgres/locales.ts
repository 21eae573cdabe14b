import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { BackupError } from '../errors.ts';
import { runProgram } from './run-program.ts';

const SOURCES = '/usr/share/i18n';
const LOCALEDEF = '/usr/bin/localedef';
/** What every C library brings along. */
const BUILT_IN = new Set(['', 'c', 'posix', 'c.utf8']);

/** Those of the libc locales that neither the C library nor this machine has. */
export async function missingLocales(wanted: readonly string[], signal?: AbortSignal): Promise<string[]> {
  const asked = [...new Set(wanted)].filter((name) => !BUILT_IN.has(localeKey(name)));
  if (asked.length === 0) return [];
  const parts: Buffer[] = [];
  const take = (chunk: Buffer): void => void parts.push(chunk);
  const listed = await runProgram('locale', ['-a'], { stdout: take, ...(signal && { signal }) }).then(
    () => Buffer.concat(parts).toString('latin1').split('\n').map(localeKey),
    (error: unknown) => {
      // musl has no such program, and its locales are all the same.
      if (error instanceof BackupError && error.code !== 'ABORTED') return [];
      throw error;
    },
  );
  const present = new Set(listed);
  return asked.filter((name) => !present.has(localeKey(name)));
}

/** How a locale is compiled: `localedef -i source -f charmap target`. Words without blanks. */
export interface LocaleSource {
  readonly source: string;
  readonly charmap: string;
  /** Name of the folder in which the C library looks for it. */
  readonly target: string;
}

/**
 * What to compile for a server that uses these libc locales. All that it will use must be named: with LOCPATH set, the C library no longer
 * looks into the system's archive. Throws LOCALE_MISSING when this machine lacks the sources of one, or the program.
 */
export async function planLocales(names: readonly string[]): Promise<LocaleSource[]> {
  const wanted = [...new Set(names)].filter((name) => !BUILT_IN.has(localeKey(name)));
  if (wanted.length > 0 && !(await exists(LOCALEDEF))) {
    throw new BackupError(
      'LOCALE_MISSING',
      `the locale ${wanted[0]} is not on this machine, and localedef, which compiles it, neither`,
      {
        hint: 'localedef comes with the C library (Debian: package libc-bin), its sources with the package locales.',
      },
    );
  }
  const plan = new Map<string, LocaleSource>();
  for (const name of wanted) {
    const each = await planLocale(name);
    plan.set(each.target, each);
  }
  return [...plan.values()];
}

async function planLocale(name: string): Promise<LocaleSource> {
  const { language, codeset, modifier } = takeApart(name);
  const source = `${language}${modifier}`;
  const charmap = await findCharmap(name);
  if (charmap !== undefined && (await exists(join(SOURCES, 'locales', source)))) {
    return { source, charmap, target: `${language}${codeset === undefined ? '' : `.${normalCodeset(codeset)}`}${modifier}` };
  }
  const installed = await exists(join(SOURCES, 'SUPPORTED'));
  throw new BackupError(
    'LOCALE_MISSING',
    `the locale ${name} is not on this machine, and there is no source to compile it from`,
    {
      hint: installed
        ? `Make the locale ${name} known to this machine, or let the drill use a server that has it (drill.target).`
        : 'Install the package locales (apt-get install locales): it has the sources, and nothing else needs to be configured.',
    },
  );
}

/** Stands before the system's program of that name in the PATH of initdb, which makes a collation of each locale that it names. */
export const LOCALE_PROGRAM = 'locale';

/** What a server's folder needs for its keeper to compile locales and for initdb to know of them. */
export function localeFiles(folder: string, locales: readonly LocaleSource[]): Record<string, string> {
  const built = join(folder, 'locales').replaceAll("'", "'\\''");
  return {
    localedef: locales.map(({ source, charmap, target }) => `${source} ${charmap} ${target}\n`).join(''),
    // `locale -a` does not look into LOCPATH.
    [LOCALE_PROGRAM]: `#!/bin/sh\n/usr/bin/locale "$@"\nls '${built}'\n`,
  };
}

export function localeEnvironment(folder: string): Record<string, string> {
  return { LOCPATH: join(folder, 'locales'), PATH: `${folder}:/usr/local/bin:/usr/bin:/bin` };
}

/** The character map of a locale's codeset, or of the locale as the C library's own list has it when the name has none. */
async function findCharmap(name: string): Promise<string | undefined> {
  const { codeset } = takeApart(name);
  if (codeset === undefined) {
    const supported = await readFile(join(SOURCES, 'SUPPORTED'), 'latin1').catch(() => '');
    const line = supported.split('\n').find((each) => each.split(' ')[0] === name);
    return line?.split(' ')[1]?.trim();
  }
  const names = (await readdir(join(SOURCES, 'charmaps')).catch(() => [])).map((file) => file.replace(/\.gz$/, ''));
  return names.find((each) => normalCodeset(each) === normalCodeset(codeset));
}

/** `de_DE.UTF-8@euro`: language and territory, codeset, modifier with its `@`. Never a path. */
function takeApart(name: string): { language: string; codeset?: string; modifier: string } {
  const [, language, codeset, modifier] = /^([A-Za-z0-9_]+)(?:\.([A-Za-z0-9_-]+))?(@[A-Za-z0-9_-]+)?$/.exec(name) ?? [];
  if (language === undefined) return { language: 'unknown', codeset: 'unknown', modifier: '' };
  return { language, ...(codeset !== undefined && { codeset }), modifier: modifier ?? '' };
}

function normalCodeset(codeset: string): string {
  const plain = codeset.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  return /^\d+$/.test(plain) ? `iso${plain}` : plain;
}

/** `en_US.UTF-8` and `en_US.utf8` are the same locale; what the name says of the language keeps its case. */
function localeKey(name: string): string {
  const { language, codeset, modifier } = takeApart(name);
  if (/^(c|posix)$/i.test(language))
    return `${language.toLowerCase()}${codeset === undefined ? '' : `.${normalCodeset(codeset)}`}`;
  return name === '' ? '' : `${language}${codeset === undefined ? '' : `.${normalCodeset(codeset)}`}${modifier}`;
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
