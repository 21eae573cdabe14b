import { describe, expect, test } from '@jest/globals';

import { createDatabaseStatement } from '../../../src/postgres/create-database.ts';
import { sampleManifest } from '../../support/sample-manifest.ts';

const libc = sampleManifest().database;

describe('CREATE DATABASE', () => {
  test('names no locale provider before PostgreSQL 15', () => {
    expect(createDatabaseStatement('a"b', { ...libc, encoding: 'LATIN1', collate: "it's" }, 140000)).toBe(
      `CREATE DATABASE "a""b" TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'it''s' LC_CTYPE 'C.UTF-8' OWNER "keeper"`,
    );
  });

  test('gives ICU and builtin locales and the tablespace to those that know them', () => {
    const icu = { ...libc, localeProvider: 'icu', locale: 'de-AT', icuRules: '&a < b', tablespace: 'fast' } as const;
    expect(createDatabaseStatement('x', icu, 160000)).toContain(
      `LOCALE_PROVIDER icu LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8' ICU_LOCALE 'de-AT' ICU_RULES '&a < b' OWNER "keeper" TABLESPACE "fast"`,
    );
    const builtin = { ...libc, localeProvider: 'builtin', locale: 'C.UTF-8' } as const;
    expect(createDatabaseStatement('x', builtin, 170000)).toContain(
      `LOCALE_PROVIDER builtin LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8' BUILTIN_LOCALE 'C.UTF-8'`,
    );
  });
});
