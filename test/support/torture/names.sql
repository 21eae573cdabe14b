-- Names that trip careless quoting, line handling and script parsing. Each table has the name that also its columns, index,
-- constraint, sequence and comment carry, and a few rows.
CREATE SCHEMA "Mixed Case";
CREATE SCHEMA "select";
CREATE SCHEMA "quo""te";
CREATE SCHEMA "new
line";
CREATE SCHEMA "ünïcödé 表 🐘";
CREATE SCHEMA "back\slash";

DO $do$
DECLARE
  schema text;
  name text;
  names text[] := ARRAY[
    'Mixed Case', 'select', 'table', 'user', 'quo"te', '"quoted"', '""', 'apos''trophe', 'per%cent', '%s%d%n', 'dollar$1', '$$', '$body$',
    'semi;colon', 'dot.ted', '.', '..', '/slash', '../up', 'back\slash', '\', '\\', '\.', '\N', 'new' || chr(10) || 'line',
    'carriage' || chr(13) || 'return', 'crlf' || chr(13) || chr(10) || 'end', 'tab' || chr(9) || 'bed', ' leading', 'trailing ', ' ',
    '-- comment', '/* comment', '*/', ':variable', ':"variable"', '{brace}', '(paren)', '[1]', ',', '*', '?', 'a=b',
    'evil FROM stdin;' || chr(10) || '1' || chr(10) || '\.' || chr(10),
    'evil' || chr(10) || '\! echo broken out of the name >&2' || chr(10) || '--',
    'evil' || chr(10) || 'COPY public.nothing FROM stdin;' || chr(10) || '\.',
    'evil (a) FROM stdin;', 'x";DROP TABLE y;--', E'\x01\x7f\x1b[31m', 'ünïcödé', 'ÜNÏCÖDÉ', '表', '🐘', 'e' || U&'\0301', U&'\2028', U&'\FEFF', U&'\00A0',
    repeat('n', 63), repeat('ü', 31), '0', '1e5', 'NULL', 'null', 'true', '-', '--', 'pg_catalog', 'pg_not_a_system_table'];
  number int := 0;
BEGIN
  FOREACH schema IN ARRAY ARRAY['Mixed Case', 'new' || chr(10) || 'line', 'quo"te'] LOOP
    FOREACH name IN ARRAY names LOOP
      number := number + 1;
      EXECUTE format('CREATE TABLE %I.%I (%2$I int DEFAULT 7 CONSTRAINT %2$I CHECK (%2$I < 1000000), %3$I text)', schema, name, left(name, 10) || '2');
      EXECUTE format('INSERT INTO %I.%I VALUES (%s, %L), (NULL, %L), (2, NULL)', schema, name, number, name, '\N');
      EXECUTE format('COMMENT ON COLUMN %I.%I.%2$I IS %L', schema, name, name);
    END LOOP;
  END LOOP;
  FOREACH schema IN ARRAY ARRAY['select', 'ünïcödé 表 🐘', 'back\slash'] LOOP
    FOREACH name IN ARRAY names LOOP
      number := number + 1;
      EXECUTE format('CREATE TYPE %I.%I AS ENUM (%L, %L)', schema, left(name, 31) || 'T', left(name, 31), 'other');
      EXECUTE format('CREATE SEQUENCE %I.%I', schema, left(name, 31) || 'S');
      EXECUTE format('SELECT setval(%L, %s)', format('%I.%I', schema, left(name, 31) || 'S'), number);
      EXECUTE format('CREATE VIEW %I.%I AS SELECT 1 AS %2$I', schema, left(name, 31) || 'V');
      EXECUTE format('CREATE FUNCTION %I.%I(%2$I int) RETURNS text LANGUAGE sql AS %L', schema, left(name, 31), format('SELECT %L::text', name));
    END LOOP;
  END LOOP;
END
$do$;

-- A table for indexes and triggers of those names, since an index shares its table's schema.
CREATE TABLE "select"."select" ("select" int PRIMARY KEY, "from" text, "new
column" text, "quo""ted" text DEFAULT 'it''s "x" \ $$');
INSERT INTO "select"."select" SELECT i, 'row ' || i, E'\n', '"' FROM generate_series(1, 20) i;
CREATE INDEX "new
index" ON "select"."select" ("new
column");
CREATE INDEX "evil FROM stdin;
\." ON "select"."select" (lower("quo""ted"));
ALTER TABLE "select"."select" ADD CONSTRAINT "con
straint \. -- " UNIQUE ("from", "select");

-- The same table name in several schemas, and two names that differ only in case.
CREATE TABLE public.same_name (id int);
CREATE TABLE "select".same_name (id text);
CREATE TABLE "select"."SAME_NAME" (id text);
INSERT INTO public.same_name VALUES (1), (2);
INSERT INTO "select".same_name VALUES ('lower');
INSERT INTO "select"."SAME_NAME" VALUES ('UPPER'), ('');
