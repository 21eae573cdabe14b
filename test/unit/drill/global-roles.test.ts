import { describe, expect, test } from '@jest/globals';
import { readGlobalRoles } from '../../../src/drill/global-roles.ts';

const GLOBALS = `--
-- PostgreSQL database cluster dump
--
\\restrict abc
SET client_encoding = 'UTF8';
CREATE ROLE boss;
ALTER ROLE boss WITH SUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS PASSWORD 'md5; SUPERUSER''s';
CREATE ROLE "Büro; ""1""";
ALTER ROLE "Büro; ""1""" WITH NOSUPERUSER NOINHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 3;
COMMENT ON ROLE boss IS 'CREATE ROLE fake; -- no';
CREATE ROLE plain;
ALTER ROLE plain WITH NOSUPERUSER INHERIT LOGIN PASSWORD 'SCRAM-SHA-256$4096:x==$y=:z=' VALID UNTIL '2030-01-01 00:00:00+00';
ALTER ROLE plain SET search_path TO 'a', 'b';
GRANT "Büro; ""1""" TO plain WITH ADMIN OPTION GRANTED BY boss;
GRANT boss TO "Büro; ""1""" WITH ADMIN OPTION, INHERIT FALSE, SET TRUE GRANTED BY boss;
GRANT pg_monitor TO plain GRANTED BY boss;
CREATE TABLESPACE fast OWNER boss LOCATION '/mnt/fast';
GRANT CREATE ON TABLESPACE fast TO plain WITH GRANT OPTION;
\\unrestrict abc
`;

describe('roles out of the globals', () => {
  test('are read with what matters for grants, whatever their names and passwords look like', () => {
    expect(readGlobalRoles(GLOBALS).roles).toEqual([
      { name: 'boss', superuser: true, inherit: true },
      { name: 'Büro; "1"', superuser: false, inherit: false },
      { name: 'plain', superuser: false, inherit: true },
    ]);
  });

  test('come with their memberships, without who granted them', () => {
    expect(readGlobalRoles(GLOBALS).memberships).toEqual([
      { role: 'Büro; "1"', member: 'plain', options: ['ADMIN OPTION'] },
      { role: 'boss', member: 'Büro; "1"', options: ['ADMIN OPTION', 'INHERIT FALSE', 'SET TRUE'] },
      { role: 'pg_monitor', member: 'plain', options: [] },
    ]);
  });

  test('are none when there is no text', () => {
    expect(readGlobalRoles('')).toEqual({ roles: [], memberships: [] });
  });
});
