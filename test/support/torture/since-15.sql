-- PostgreSQL 15: nulls not distinct, filtered publications, unlogged sequences, numeric scales, security invoker, tablespaces in place.
CREATE TABLE kinds.nulls_not_distinct (a int, b int, UNIQUE NULLS NOT DISTINCT (a, b));
INSERT INTO kinds.nulls_not_distinct VALUES (1, NULL), (2, NULL);
CREATE UNIQUE INDEX ON kinds.nulls_not_distinct (b) NULLS NOT DISTINCT WHERE a = 1;
CREATE TABLE kinds.odd_scales (big numeric(3, -3), small numeric(3, 5));
INSERT INTO kinds.odd_scales VALUES (123456, 0.00123), (NULL, 'NaN');
CREATE UNLOGGED SEQUENCE kinds.unlogged_sequence;
SELECT nextval('kinds.unlogged_sequence') FROM generate_series(1, 3);
CREATE TABLE kinds.partial_set_null (a int, b int, c int, FOREIGN KEY (c) REFERENCES kinds.chicken ON DELETE SET NULL (c));
CREATE VIEW code.invoker WITH (security_invoker = on) AS SELECT 1 AS one;
CREATE PUBLICATION filtered FOR TABLE kinds.egg (id) WHERE (id > 10);
CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA parts, "new
line";
SET allow_in_place_tablespaces = on;
SELECT NOT EXISTS (SELECT FROM pg_tablespace WHERE spcname = 'Torture Space') AS missing \gset
\if :missing
CREATE TABLESPACE "Torture Space" LOCATION '';
\endif
CREATE TABLE kinds.in_space (id int) TABLESPACE "Torture Space";
INSERT INTO kinds.in_space SELECT generate_series(1, 20);
CREATE INDEX ON kinds.in_space (id) TABLESPACE "Torture Space";
CREATE TABLE kinds.after_space (id int PRIMARY KEY USING INDEX TABLESPACE "Torture Space");
CREATE TABLE kinds.parted_space (id int) PARTITION BY RANGE (id) TABLESPACE "Torture Space";
CREATE TABLE kinds.parted_space_1 PARTITION OF kinds.parted_space DEFAULT;
INSERT INTO kinds.parted_space VALUES (1);
