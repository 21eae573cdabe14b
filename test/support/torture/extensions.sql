-- Extensions in schemas of their own, with objects that depend on them; foreign data; replication.
CREATE SCHEMA "Extension Home";
CREATE EXTENSION hstore SCHEMA "Extension Home";
CREATE EXTENSION citext SCHEMA "Extension Home";
CREATE EXTENSION ltree SCHEMA public;
CREATE EXTENSION pg_trgm;
COMMENT ON EXTENSION hstore IS 'a comment of our own';
CREATE TABLE public.uses_extensions (id int, h "Extension Home".hstore, c "Extension Home".citext UNIQUE, l ltree);
INSERT INTO public.uses_extensions VALUES (1, '"a b"=>"c\\d", e=>NULL, ""=>"\""', 'Case', 'top.middle'), (2, '', 'other', '');
CREATE INDEX ON public.uses_extensions USING gin (h);
CREATE INDEX ON public.uses_extensions USING gist (l);
CREATE INDEX ON public.uses_extensions USING gin ((c::text) gin_trgm_ops);
GRANT EXECUTE ON FUNCTION "Extension Home".hstore(text, text) TO torture_reader;
REVOKE EXECUTE ON FUNCTION show_limit() FROM PUBLIC;

CREATE EXTENSION postgres_fdw;
CREATE EXTENSION file_fdw;
CREATE FOREIGN DATA WRAPPER no_handler OPTIONS (an 'option', "quo""ted" 'it''s');
CREATE SERVER elsewhere TYPE 'oracle' VERSION '1' FOREIGN DATA WRAPPER no_handler OPTIONS (host 'nowhere');
-- Unreachable: a dump that read foreign rows would fail.
CREATE SERVER unreachable FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'none', connect_timeout '2');
CREATE USER MAPPING FOR torture_owner SERVER unreachable OPTIONS (user 'u', password 'p\''w');
CREATE USER MAPPING FOR PUBLIC SERVER elsewhere;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE SCHEMA foreigners;
CREATE FOREIGN TABLE foreigners.remote (id int OPTIONS (column_name 'ID') NOT NULL, t text DEFAULT 'x', CHECK (id > 0)) SERVER unreachable OPTIONS (schema_name 's', table_name 'it''s');
CREATE FOREIGN TABLE foreigners.file (line text) SERVER files OPTIONS (filename '/nonexistent/file', format 'csv');
CREATE TABLE foreigners.mixed (id int, k text) PARTITION BY LIST (k);
CREATE TABLE foreigners.mixed_local PARTITION OF foreigners.mixed FOR VALUES IN ('local');
CREATE FOREIGN TABLE foreigners.mixed_remote PARTITION OF foreigners.mixed FOR VALUES IN ('remote') SERVER unreachable;
INSERT INTO foreigners.mixed VALUES (1, 'local'), (2, 'local');
CREATE TABLE foreigners.parent (id int);
CREATE FOREIGN TABLE foreigners.foreign_child (extra int) INHERITS (foreigners.parent) SERVER unreachable;
INSERT INTO foreigners.parent VALUES (1);

CREATE PUBLICATION all_tables FOR ALL TABLES WITH (publish = 'insert');
CREATE PUBLICATION "some ""tables""" FOR TABLE kinds.tree, ONLY kinds.parent, "select"."select" WITH (publish = 'insert, update');
CREATE PUBLICATION of_nothing WITH (publish_via_partition_root = true);
CREATE SUBSCRIPTION torture_subscription CONNECTION 'host=127.0.0.1 port=1 dbname=it''s' PUBLICATION "some ""tables""", other WITH (connect = false, slot_name = 'torture_slot');
CREATE SUBSCRIPTION slotless CONNECTION 'host=127.0.0.1 port=1' PUBLICATION x WITH (connect = false, slot_name = NONE, synchronous_commit = 'local');
