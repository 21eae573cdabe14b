-- PostgreSQL 14: multiranges, infinite numerics, SQL-standard bodies, LZ4, expression statistics.
SET search_path = vals;
CREATE TYPE float_range AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi, MULTIRANGE_TYPE_NAME = "Float Multi");
CREATE TABLE multiranges (id int, i int4multirange, d datemultirange, t "Text Range"[], f "Float Multi", tz tstzmultirange);
INSERT INTO multiranges VALUES
  (1, '{}', '{[2024-01-01,2024-02-01),[2025-01-01,)}', '{}', '{[-Infinity,0.1),[NaN,NaN]}', '{(,)}'), (2, '{[1,3),[5,9)}', NULL, ARRAY['[a,b)', NULL]::"Text Range"[], '{}', NULL), (3, NULL, '{}', NULL, NULL, NULL);
INSERT INTO numbers (n) VALUES ('Infinity'), ('-Infinity');
CREATE TABLE compressed (id int, l text COMPRESSION lz4, p text COMPRESSION pglz, d text);
INSERT INTO compressed SELECT i, repeat('lz4 ' || i, 3000), repeat('pglz ' || i, 3000), repeat('default' || i, 3000) FROM generate_series(1, 40) i;
CREATE TABLE subscripted (id int, j jsonb DEFAULT '{"a": 1}');
INSERT INTO subscripted SELECT generate_series(1, 5);
SET search_path = code;
CREATE FUNCTION standard_body(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT a + 1; SELECT n + a FROM sorted LIMIT 1; END;
CREATE FUNCTION standard_return(a int) RETURNS int RETURN a * 2;
CREATE PROCEDURE out_procedure(OUT a int, b text) LANGUAGE plpgsql AS 'BEGIN a := 1; END';
CREATE VIEW over_standard_body AS SELECT standard_body(1);
CREATE STATISTICS on_expression ON (n % 10), (n / 7), n FROM sorted;
CREATE FUNCTION code.first_column(anycompatible, anycompatiblearray) RETURNS anycompatible LANGUAGE sql AS 'SELECT $1';
RESET search_path;
