import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { withClient, type ConnectionOptions } from '../../../src/postgres/connection.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../../src/postgres/throw-away-server.ts';
import { dumpText, normalizeDump, plainDump } from '../../support/dump-text.ts';
import { expectEqualText } from '../../support/equality.ts';
import { installedVersion } from '../../support/postgres-versions.ts';
import { createEmptyDatabase, restoreScript } from '../../support/restore-plain.ts';
import { loadTorture } from '../../support/torture/load.ts';

// The measure that the other tests of this folder rely on is itself put to the test: it finds equal what is equal, and every
// kind of difference that a bad restore could make.
describe('the comparison of two databases', () => {
  const { binDirectory } = installedVersion(17);
  let server: ThrowAwayServer;
  let first: string;
  let second: ConnectionOptions;
  let last: string;

  beforeAll(async () => {
    server = await startThrowAwayServer({ binDirectory, initdbArgs: ['--no-locale'] });
    const torture = await loadTorture(server.connection, binDirectory, 'torture');
    const script = await plainDump(binDirectory, torture.connection);
    second = await createEmptyDatabase(server.connection, 'second');
    await restoreScript(binDirectory, script, second);
    const other = await createEmptyDatabase(server.connection, 'first');
    await restoreScript(binDirectory, script, other);
    first = await dumpText(binDirectory, other);
    last = first;
  });
  afterAll(() => server.stop());

  test('finds two restores of the same dump equal', async () => {
    expectEqualText(first, await dumpText(binDirectory, second), 'second');
  });

  test('does not see the order of rows', async () => {
    await withClient(second, (client) => client.query(`UPDATE kinds.many_pages SET filler = filler WHERE id < 100`));
    expectEqualText(first, await dumpText(binDirectory, second), 'second');
  });

  test.each([
    ['a changed value', `UPDATE kinds.settings SET t = 'S' WHERE id = 17`],
    ['a missing row', `DELETE FROM code.sorted WHERE n = 50`],
    ['a row more in a table without columns', `INSERT INTO kinds.no_columns DEFAULT VALUES`],
    ['a row more below a hash of enums', `INSERT INTO parts.by_enum VALUES (0, 'red', '')`],
    ['a sequence', `SELECT nextval('kinds.free_standing')`],
    ['a privilege', `GRANT DELETE ON vals.texts TO torture_reader`],
    ['a column privilege', `GRANT SELECT (id) ON vals.arrays TO torture_reader`],
    ['a constraint made valid', `UPDATE pg_constraint SET convalidated = true WHERE conname = 'check_not_valid'`],
    ['the content of a large object', `SELECT lo_put(900101, 3, '\\x00')`],
    ['the owner of a large object', `ALTER LARGE OBJECT 900102 OWNER TO torture_owner`],
    ['a comment', `COMMENT ON TABLE code.sorted IS 'other'`],
    ['a materialized view that is not filled', `REFRESH MATERIALIZED VIEW code.a_third WITH NO DATA`],
  ])('sees %s', async (_, change) => {
    const before = last;
    await withClient(second, (client) => client.query(change));
    last = await dumpText(binDirectory, second);
    expect(() => expectEqualText(before, last, 'second')).toThrow(/second differs in lines/);
  });
});

describe('the normal form of a dump', () => {
  test('sorts the lines of COPY blocks and nothing else', () => {
    const dump = 'SELECT 2;\nSELECT 1;\nCOPY a (x) FROM stdin;\n2\n\\N\n1\n\\.\n\n\nSELECT 3;\n';
    expect(normalizeDump(dump)).toBe('SELECT 2;\nSELECT 1;\nCOPY a (x) FROM stdin;\n1\n2\n\\N\n\\.\n\n\nSELECT 3;\n');
  });

  test('is not taken in by names and texts that look like COPY blocks', () => {
    const dump = `CREATE TABLE "x\nCOPY y FROM stdin;\n2\n1\n\\.\n" ();\nSELECT 'COPY z FROM stdin;\n2\n1\n\\.\n';\n-- COPY z FROM stdin;\n2\n1\n\\.\n;`;
    expect(normalizeDump(dump)).toBe(dump);
    const copy = (rows: string): string => `COPY "x FROM stdin;\n2\n1\n\\.\n" (a) FROM stdin;\n${rows}\\.\n`;
    expect(normalizeDump(copy('2\n1\n'))).toBe(copy('1\n2\n'));
    expect(normalizeDump(copy(''))).toBe(copy(''));
  });

  test('replaces the random keys of \\restrict', () => {
    expect(normalizeDump('\\restrict aBc1\nSELECT 1;\n\\unrestrict aBc1\n')).toBe(
      '\\restrict KEY\nSELECT 1;\n\\unrestrict KEY\n',
    );
  });
});
