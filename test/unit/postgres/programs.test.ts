import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { findPrograms } from '../../../src/postgres/programs.ts';

// Versions that no machine has, so that real installations do not take part.
const CLIENT = ['pg_dump', 'pg_restore', 'pg_dumpall', 'psql'];
const SERVER = ['initdb', 'pg_ctl', 'postgres'];
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'programs-test-'));
});
afterEach(async () => await rm(folder, { recursive: true, force: true }));

async function install(name: string, version: string, programs: readonly string[] = CLIENT): Promise<string> {
  const directory = join(folder, name);
  await mkdir(directory, { recursive: true });
  for (const program of programs) {
    await writeFile(join(directory, program), `#!/bin/sh\necho "${program} (PostgreSQL) ${version}"\n`);
    await chmod(join(directory, program), 0o755);
  }
  return directory;
}

test('the version of the server is preferred to a newer one', async () => {
  const directories = [await install('a', '903.1'), await install('b', '901.2 (Debian 901.2-1)'), await install('c', '902.0')];
  expect(await findPrograms({ serverMajor: 901, directories })).toMatchObject({
    major: 901,
    directory: directories[1],
    version: '901.2 (Debian 901.2-1)',
  });
});

test('else the lowest of the newer ones is taken, a pre-release too', async () => {
  const directories = [await install('a', '900.1'), await install('b', '905.0'), await install('c', '903beta2')];
  expect(await findPrograms({ serverMajor: 901, directories })).toMatchObject({ major: 903, version: '903beta2' });
});

test('among equals the order of the folders decides, and PATH comes last', async () => {
  const first = await install('first', '901.1');
  const second = await install('second', '901.9');
  expect((await findPrograms({ serverMajor: 901, directories: [first, second] })).directory).toBe(first);
  expect((await findPrograms({ serverMajor: 901, directories: [second], searchPath: first })).directory).toBe(second);
  expect((await findPrograms({ serverMajor: 901, searchPath: `relative::${first}` })).directory).toBe(first);
});

test('without any, the package to install is named, and what there is', async () => {
  const old = await install('old', '900.4');
  await expect(findPrograms({ serverMajor: 901, directories: [old] })).rejects.toMatchObject({
    code: 'CLIENT_PROGRAM_MISSING',
    message: expect.stringContaining(`900 in ${old}`),
    hint: expect.stringContaining('postgresql-client-901'),
  });
});

test('an installation without all of the programs, or with one that does not run, is passed over', async () => {
  const partial = await install('partial', '901.1', ['pg_dump']);
  const broken = await install('broken', '901.1');
  await writeFile(join(broken, 'pg_dump'), '#!/bin/sh\nexit 127\n');
  const whole = await install('whole', '902.1');
  expect((await findPrograms({ serverMajor: 901, directories: [partial, broken, whole, '/nonexistent'] })).directory).toBe(whole);
});

test("Debian's wrapper, which chooses a version by itself, is passed over", async () => {
  const directory = join(folder, 'bin');
  await mkdir(directory);
  await writeFile(join(folder, 'pg_wrapper'), '#!/bin/sh\necho "pg_dump (PostgreSQL) 901.1"\n', { mode: 0o755 });
  for (const program of CLIENT) await symlink(join(folder, 'pg_wrapper'), join(directory, program));
  await expect(findPrograms({ serverMajor: 901, directories: [directory] })).rejects.toMatchObject({
    code: 'CLIENT_PROGRAM_MISSING',
  });
});

test('for a server, the server programs of exactly that version are needed', async () => {
  const client = await install('client', '901.1');
  const newer = await install('newer', '902.1', [...CLIENT, ...SERVER]);
  await expect(findPrograms({ serverMajor: 901, directories: [client, newer], server: true })).rejects.toMatchObject({
    code: 'CLIENT_PROGRAM_MISSING',
    hint: expect.stringMatching(/package postgresql-901 /),
  });
  expect((await findPrograms({ serverMajor: 902, directories: [client, newer], server: true })).path('initdb')).toBe(
    join(newer, 'initdb'),
  );
});

test('a program that the installation lacks is missed when it is asked for', async () => {
  const programs = await findPrograms({ serverMajor: 901, directories: [await install('client', '901.1')] });
  expect(programs.path('psql')).toMatch(/client\/psql$/);
  expect(() => programs.path('initdb')).toThrow(expect.objectContaining({ code: 'CLIENT_PROGRAM_MISSING' }));
});
