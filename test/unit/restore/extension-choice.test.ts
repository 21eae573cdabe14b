import { execFileSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { NO_CHOICE, scriptFilter, sedForVersions } from '../../../src/restore/extension-choice.ts';

const entry = (name: string, type: string, schema: string, text: string): string =>
  `--\n-- Name: ${name}; Type: ${type}; Schema: ${schema}; Owner: -\n--\n\n${text}\n\n\n`;

const HEAD = [
  `SET search_path = '';\n\n`,
  entry('shop', 'SCHEMA', '-', 'CREATE SCHEMA shop;'),
  entry('hstore', 'EXTENSION', '-', 'CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA shop;'),
  entry('clock', 'EXTENSION', '-', 'CREATE EXTENSION IF NOT EXISTS clock WITH SCHEMA pg_catalog;'),
  entry('EXTENSION clock', 'COMMENT', '-', "COMMENT ON EXTENSION clock IS 'ticks';") + "SET default_tablespace = '';\n\n",
  entry(
    'f()',
    'FUNCTION',
    'public',
    `CREATE FUNCTION public.f() … '\nCREATE EXTENSION IF NOT EXISTS other WITH SCHEMA x;\n--\n';`,
  ),
];
const TAIL = [
  entry('jobs', 'TABLE DATA', 'clock', 'COPY clock.jobs (id) FROM stdin;\n1\n\\.').replace('-- Name', '-- Data for Name'),
  entry('jobs_id', 'SEQUENCE SET', 'clock', `SELECT pg_catalog.setval('clock.jobs_id', 1);`),
  entry('SCHEMA clock', 'ACL', '-', 'GRANT USAGE ON SCHEMA clock TO reader;'),
  entry('SCHEMA shop', 'ACL', '-', 'GRANT USAGE ON SCHEMA shop TO reader;'),
  entry('i', 'INDEX', 'public', 'CREATE INDEX i;') + '--\n-- PostgreSQL database dump complete\n--\n',
];

async function filtered(choice: Partial<typeof NO_CHOICE>, pieces: number): Promise<string[]> {
  const filter = scriptFilter({ ...NO_CHOICE, ...choice });
  const scripts: string[] = [];
  for (const parts of [HEAD, TAIL]) {
    const bytes = Buffer.from(parts.join(''));
    async function* open(): AsyncGenerator<Buffer> {
      for (let at = 0; at < bytes.length; at += pieces) yield bytes.subarray(at, at + pieces);
    }
    let text = '';
    for await (const part of filter(open())) text += Buffer.from(part).toString('utf8');
    scripts.push(text);
  }
  return scripts;
}

describe('Extensions of a script', () => {
  test.each([1, 7, 100_000])('that are left out go with all of theirs, and nothing else (pieces of %d)', async (pieces) => {
    const [head, tail] = await filtered({ leftOut: ['clock'] }, pieces);
    expect(head).toBe([HEAD[0], HEAD[1], HEAD[2], "SET default_tablespace = '';\n", HEAD[5]].join(''));
    expect(tail).toBe(TAIL.slice(3).join(''));
  });

  test('are created in the version that is wanted, by this program and by sed', async () => {
    const versions = { hstore: '1.7', clock: "0'1" };
    const [head, tail] = await filtered({ versions }, 11);
    const wanted = HEAD.join('')
      .replace('WITH SCHEMA shop;', "WITH SCHEMA shop VERSION '1.7';")
      .replace('WITH SCHEMA pg_catalog;', "WITH SCHEMA pg_catalog VERSION '0''1';");
    expect(head).toBe(wanted);
    expect(tail).toBe(TAIL.join(''));
    const rows = 'COPY public.t (x) FROM stdin;\nCREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA shop;\n\\.\n';
    const sed = sedForVersions({ versions })!;
    expect(execFileSync('sed', ['-e', sed], { input: HEAD.join('') + rows, encoding: 'utf8' })).toBe(wanted + rows);
  });

  test('are what the script says when nothing was chosen', async () => {
    expect(await filtered({}, 50)).toEqual([HEAD.join(''), TAIL.join('')]);
    expect(sedForVersions(NO_CHOICE)).toBeUndefined();
  });
});
