import { describe, expect, test } from '@jest/globals';

import { compareSchema } from '../../../src/drill/compare-schema.ts';
import { splitSchema } from '../../../src/drill/schema-text.ts';

const header = (name: string, type: string, schema = 'public', owner = 'me'): string =>
  `--\n-- Name: ${name}; Type: ${type}; Schema: ${schema}; Owner: ${owner}\n--\n\n`;

const script = (...parts: readonly string[]): string =>
  `--\n-- PostgreSQL database dump\n--\n\n\\restrict ${Math.random()}\n\n-- Dumped from database version 17.6\n-- Dumped by pg_dump version 17.6\n\nSET xmloption = content;\n\n` +
  `${parts.join('')}--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict ${Math.random()}\n\n`;

const table = `${header('orders', 'TABLE')}CREATE TABLE public.orders (\n    id integer\n);\n\n\n`;
const view = `${header('all', 'VIEW')}CREATE VIEW public.all AS\n SELECT 1;\n\n\n`;

function differences(expected: string, found: string) {
  return compareSchema(splitSchema(expected), splitSchema(found));
}

describe('the definitions of a database', () => {
  test('are taken apart by the comment above each object', () => {
    expect(splitSchema(script(table, view)).map(({ name }) => name)).toEqual([
      'settings of the script',
      'TABLE public.orders',
      'VIEW public.all',
    ]);
  });

  test('are equal whatever their order and the random keys', () => {
    expect(differences(script(table, view), script(view, table))).toEqual([]);
  });

  test('are equal when a tablespace is set before another object, and not when an object is in another one', () => {
    const index = `${header('i', 'INDEX')}CREATE INDEX i ON public.orders (id);\n\n\n`;
    const [fast, plain] = [`SET default_tablespace = fast;\n\n`, `SET default_tablespace = '';\n\n`];
    expect(differences(script(plain, table, view, fast, index), script(fast, index, plain, table, view))).toEqual([]);
    expect(differences(script(plain, table, fast, index), script(plain, table, index))).toMatchObject([
      { object: 'INDEX public.i', message: expect.stringContaining('default_tablespace: fast') },
    ]);
  });

  test('differ by an object that is missing, one too many, and one of several of a name', () => {
    const one = `${header('same', 'ACL')}GRANT SELECT;\n\n`;
    const other = `${header('same', 'ACL')}GRANT INSERT;\n\n`;
    expect(differences(script(table, one, other), script(other, view, one))).toEqual([
      { object: 'TABLE public.orders', message: 'it is missing in the restored database' },
      { object: 'VIEW public.all', message: 'the restored database has it, the backup has not' },
    ]);
    expect(differences(script(one, other), script(one))).toHaveLength(1);
    expect(differences(script(one, one), script(one))).toHaveLength(1);
  });

  test('differ by an owner or a setting of the script, and say the first line that does', () => {
    const given = table.replace('Owner: me', 'Owner: you');
    expect(differences(script(table), script(given))).toEqual([
      {
        object: 'TABLE public.orders',
        message: 'its definition differs: expected `-- owner: me`, found `-- owner: you`',
      },
    ]);
    const long = table.replace('id integer', `"${'x'.repeat(300)}" integer`);
    expect(differences(script(table), script(long))[0]!.message).toContain('…`');
    expect(differences(script(table), script(table).replace('content', 'document'))[0]!.object).toBe('settings of the script');
  });

  test('do not show what may hold a password', () => {
    const server = (password: string): string =>
      `${header('far', 'SERVER', '-')}CREATE SERVER far OPTIONS (password '${password}');\n\n`;
    const [finding] = differences(script(server('hush')), script(server('other')));
    expect(finding).toEqual({ object: 'SERVER far', message: 'its definition differs; it may hold a password and is not shown' });
  });
});
