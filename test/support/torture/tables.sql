-- Tables of every kind.
CREATE SCHEMA parts;
CREATE SCHEMA kinds;
SET search_path = parts;

CREATE TABLE by_range (id bigint, at date NOT NULL, v text DEFAULT 'x', PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE by_range_2022 PARTITION OF by_range FOR VALUES FROM (MINVALUE) TO ('2023-01-01');
CREATE TABLE by_range_2023 PARTITION OF by_range (v DEFAULT 'own default', CONSTRAINT own_check CHECK (id > 0)) FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
-- Another order of columns, and a dropped one, before it became a partition.
CREATE TABLE by_range_2024 (junk int, v text, at date NOT NULL, gone text, id bigint NOT NULL, PRIMARY KEY (id, at));
ALTER TABLE by_range_2024 DROP COLUMN junk, DROP COLUMN gone;
ALTER TABLE by_range ATTACH PARTITION by_range_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE by_range_later PARTITION OF by_range FOR VALUES FROM ('2025-01-01') TO (MAXVALUE) PARTITION BY RANGE (id);
CREATE TABLE by_range_later_low PARTITION OF by_range_later FOR VALUES FROM (MINVALUE) TO (1500);
CREATE TABLE "by range later, the ""rest""" PARTITION OF by_range_later DEFAULT PARTITION BY HASH (id);
CREATE TABLE by_range_rest_0 PARTITION OF "by range later, the ""rest""" FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE UNLOGGED TABLE by_range_rest_1 PARTITION OF "by range later, the ""rest""" FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE by_range_default PARTITION OF by_range DEFAULT;
CREATE INDEX ON by_range (v);
CREATE INDEX only_the_root ON ONLY by_range (id, v);
CREATE INDEX only_the_leaf ON by_range_2022 (v) WHERE v <> 'x';
INSERT INTO by_range SELECT i, DATE '2022-01-01' + i, CASE WHEN i % 7 = 0 THEN NULL WHEN i % 3 = 0 THEN 'x' ELSE 'v' || i END FROM generate_series(1, 2000) i;

CREATE TABLE by_list (k text COLLATE "C", v int) PARTITION BY LIST (k);
CREATE TABLE by_list_a PARTITION OF by_list FOR VALUES IN ('a', 'it''s', E'new\nline');
CREATE TABLE by_list_null PARTITION OF by_list FOR VALUES IN (NULL);
CREATE TABLE by_list_empty PARTITION OF by_list FOR VALUES IN ('never');
CREATE TABLE by_list_default PARTITION OF by_list DEFAULT;
INSERT INTO by_list VALUES ('a', 1), ('it''s', 2), (E'new\nline', 3), (NULL, 4), ('other', 5);

CREATE TABLE by_hash (id int PRIMARY KEY, t text) PARTITION BY HASH (id);
CREATE TABLE by_hash_0 PARTITION OF by_hash FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE by_hash_1 PARTITION OF by_hash FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE by_hash_2 PARTITION OF by_hash FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO by_hash SELECT i, repeat('h', i % 50) FROM generate_series(1, 900) i;

-- The hash of an enum is that of its OID, which a restore changes: the rows may belong to another partition afterwards.
CREATE TYPE colour AS ENUM ('red', 'green', 'blue', 'black', 'white', 'grey');
CREATE TABLE by_enum (id int, c colour, t text) PARTITION BY HASH (c);
CREATE TABLE by_enum_0 PARTITION OF by_enum FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE by_enum_1 (t text, c colour, id int);
ALTER TABLE by_enum ATTACH PARTITION by_enum_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO by_enum SELECT i, (enum_range(NULL::colour))[1 + i % 6], 'row ' || i FROM generate_series(1, 600) i;
-- The same two floors down, under a list.
CREATE TABLE by_list_then_enum (k int, c colour) PARTITION BY LIST (k);
CREATE TABLE by_list_then_enum_1 PARTITION OF by_list_then_enum FOR VALUES IN (1) PARTITION BY HASH (c);
CREATE TABLE by_list_then_enum_1_0 PARTITION OF by_list_then_enum_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE by_list_then_enum_1_1 PARTITION OF by_list_then_enum_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE by_list_then_enum_2 PARTITION OF by_list_then_enum FOR VALUES IN (2);
INSERT INTO by_list_then_enum SELECT 1 + i % 2, (enum_range(NULL::colour))[1 + i % 6] FROM generate_series(1, 200) i;

CREATE TABLE by_expression (a int, b text) PARTITION BY RANGE ((a % 10), lower(b));
CREATE TABLE by_expression_1 PARTITION OF by_expression FOR VALUES FROM (0, MINVALUE) TO (5, 'm');
CREATE TABLE by_expression_2 PARTITION OF by_expression DEFAULT;
INSERT INTO by_expression SELECT i, chr(97 + i % 26) FROM generate_series(1, 100) i;
CREATE TABLE without_partitions (a int) PARTITION BY RANGE (a);

-- Inheritance: rows belong to one table only although queries of the parent see them all.
SET search_path = kinds;
CREATE TABLE parent (id int, name text NOT NULL DEFAULT 'parent', CONSTRAINT id_small CHECK (id < 100000), CONSTRAINT only_here CHECK (id > -10) NO INHERIT);
CREATE TABLE mother (id int, colour text, extra text);
CREATE TABLE child (own text, name text DEFAULT 'child') INHERITS (parent);
CREATE TABLE grandchild (more int) INHERITS (child, mother);
CREATE TABLE adopted (extra text, name text NOT NULL, id int, colour text, zip int, CONSTRAINT id_small CHECK (id < 100000));
ALTER TABLE adopted DROP COLUMN zip;
ALTER TABLE adopted INHERIT parent, INHERIT mother;
INSERT INTO parent SELECT i FROM generate_series(1, 10) i;
INSERT INTO child SELECT i FROM generate_series(11, 20) i;
INSERT INTO grandchild (id, colour) SELECT i, 'c' FROM generate_series(21, 30) i;
INSERT INTO adopted SELECT 'e', 'a', i, 'c' FROM generate_series(31, 40) i;
INSERT INTO mother VALUES (1, 'm', NULL);

-- Columns.
CREATE TABLE generated (a int, doubled int GENERATED ALWAYS AS (a * 2) STORED, b text, "Upper" text GENERATED ALWAYS AS (upper(b)) STORED);
INSERT INTO generated (b, a) SELECT 'row ' || i, i FROM generate_series(1, 50) i;
CREATE TABLE only_generated (one int GENERATED ALWAYS AS (1) STORED);
INSERT INTO only_generated SELECT FROM generate_series(1, 5);
CREATE TABLE generated_first (g text GENERATED ALWAYS AS (lower(t)) STORED, t text, dropped int, u text);
ALTER TABLE generated_first DROP COLUMN dropped;
INSERT INTO generated_first (t, u) VALUES ('ABC', 'u'), (NULL, '');
CREATE TABLE identities (a int GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT -7 MINVALUE -1000 MAXVALUE 100 CYCLE), b bigint GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME kinds."Odd ""name""" CACHE 10), c text);
INSERT INTO identities (c) SELECT 'i' || i FROM generate_series(1, 30) i;
CREATE TABLE serials (a serial, b bigserial PRIMARY KEY, c smallserial, d text DEFAULT 'literal ''quoted'' \ ' || now()::date);
INSERT INTO serials (d) SELECT 's' FROM generate_series(1, 12);
CREATE TABLE no_columns ();
INSERT INTO no_columns SELECT FROM generate_series(1, 7);
CREATE TABLE all_columns_dropped (a int, b text);
INSERT INTO all_columns_dropped SELECT i, 'x' FROM generate_series(1, 9) i;
ALTER TABLE all_columns_dropped DROP COLUMN a, DROP COLUMN b;
CREATE TABLE some_columns_dropped (a int, b text, c int, d text, e int);
INSERT INTO some_columns_dropped SELECT i, 'b', i, 'd', i FROM generate_series(1, 30) i;
ALTER TABLE some_columns_dropped DROP COLUMN a, DROP COLUMN c, DROP COLUMN e, ADD COLUMN f text DEFAULT 'fast default', ADD COLUMN b2 int NOT NULL DEFAULT 5;
INSERT INTO some_columns_dropped (b) VALUES ('after');
CREATE TYPE row_type AS (id int, label text);
CREATE TABLE typed OF row_type (id WITH OPTIONS PRIMARY KEY, label DEFAULT 'typed');
INSERT INTO typed VALUES (1, DEFAULT), (2, NULL);
CREATE TABLE empty_table (id int PRIMARY KEY, t text);
CREATE TABLE emptied (id int);
INSERT INTO emptied SELECT generate_series(1, 1000);
DELETE FROM emptied;
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY, t text);
INSERT INTO unlogged SELECT i, 'u' FROM generate_series(1, 100) i;
CREATE TABLE settings (id int, t text) WITH (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false, parallel_workers = 3);
ALTER TABLE settings ALTER id SET STATISTICS 7, ALTER t SET (n_distinct = -0.5, n_distinct_inherited = 3);
INSERT INTO settings SELECT i, 's' FROM generate_series(1, 3000) i;
CREATE ACCESS METHOD heap_by_another_name TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE other_access_method (id int) USING heap_by_another_name;
INSERT INTO other_access_method SELECT generate_series(1, 40);

DO $$
BEGIN
  EXECUTE 'CREATE TABLE kinds.widest (' || (SELECT string_agg(format('%I smallint', 'column ' || i), ', ') FROM generate_series(1, 1600) i) || ')';
  EXECUTE 'INSERT INTO kinds.widest SELECT ' || (SELECT string_agg(CASE WHEN i % 5 = 0 THEN 'NULL' ELSE i::text END, ', ') FROM generate_series(1, 1600) i) || ' FROM generate_series(1, 3)';
END
$$;

-- A table of many pages with dead rows and holes, so that ranges of pages differ in what they hold.
CREATE TABLE many_pages (id int, filler text);
INSERT INTO many_pages SELECT i, repeat(md5(i::text), 1 + i % 40) FROM generate_series(1, 20000) i;
DELETE FROM many_pages WHERE id BETWEEN 3000 AND 9000 OR id % 11 = 0;
UPDATE many_pages SET filler = 'updated' WHERE id % 13 = 0;

-- Constraints and indexes.
CREATE TABLE chicken (id int PRIMARY KEY, egg int);
CREATE TABLE egg (id int PRIMARY KEY, chicken int REFERENCES chicken DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE chicken ADD FOREIGN KEY (egg) REFERENCES egg ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;
BEGIN;
INSERT INTO chicken SELECT i, 101 - i FROM generate_series(1, 100) i;
INSERT INTO egg SELECT i, 101 - i FROM generate_series(1, 100) i;
COMMIT;
CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree ON UPDATE CASCADE ON DELETE CASCADE, CONSTRAINT no_loop CHECK (parent IS DISTINCT FROM id));
INSERT INTO tree SELECT i, CASE WHEN i < 100 THEN i + 1 END FROM generate_series(1, 100) i;
CREATE TABLE not_valid (id int, ref int, t text);
INSERT INTO not_valid VALUES (1, 999999, 'violates both'), (2, 1, 'fine');
ALTER TABLE not_valid ADD CONSTRAINT fk_not_valid FOREIGN KEY (ref) REFERENCES tree NOT VALID, ADD CONSTRAINT check_not_valid CHECK (length(t) < 10) NOT VALID;
CREATE TABLE partitioned_reference (id int, at date, k int, FOREIGN KEY (id, at) REFERENCES parts.by_range MATCH FULL) PARTITION BY HASH (k);
CREATE TABLE partitioned_reference_0 PARTITION OF partitioned_reference FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO partitioned_reference SELECT i, DATE '2022-01-01' + i, i FROM generate_series(1, 300) i;
CREATE EXTENSION btree_gist SCHEMA public;
CREATE TABLE bookings (room int, during tsrange, cancelled bool DEFAULT false, CONSTRAINT "no overlap" EXCLUDE USING gist (room WITH =, during WITH &&) WHERE (NOT cancelled) DEFERRABLE);
INSERT INTO bookings SELECT i % 5, tsrange(TIMESTAMP '2024-01-01' + i * INTERVAL '1 hour', TIMESTAMP '2024-01-01' + (i + 1) * INTERVAL '1 hour') FROM generate_series(1, 100) i;
CREATE TABLE indexed (id int, t text, tags text[], r int4range, p point, ts tsvector, n int, UNIQUE (id, n) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO indexed SELECT i, 't' || i, ARRAY['a' || i % 5], int4range(i, i + 5), point(i, i), to_tsvector('simple', 'word' || i), i FROM generate_series(1, 300) i;
ALTER TABLE indexed ALTER n SET NOT NULL;
CREATE INDEX indexed_gin ON indexed USING gin (tags) WITH (fastupdate = off);
CREATE INDEX indexed_gist ON indexed USING gist (ts tsvector_ops(siglen = 100), r);
CREATE INDEX indexed_spgist ON indexed USING spgist (p);
CREATE INDEX indexed_brin ON indexed USING brin (id) WITH (pages_per_range = 4, autosummarize = on);
CREATE INDEX indexed_hash ON indexed USING hash (t);
CREATE INDEX indexed_expression ON indexed ((lower(t) || n), n DESC NULLS LAST) INCLUDE (id) WHERE id > 10;
CREATE INDEX indexed_collation ON indexed (t COLLATE "C" text_pattern_ops);
ALTER INDEX indexed_expression ALTER COLUMN 1 SET STATISTICS 500;
CREATE UNIQUE INDEX indexed_n ON indexed (n);
ALTER TABLE indexed CLUSTER ON indexed_n;
ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_n;
ALTER TABLE tree REPLICA IDENTITY FULL;
ALTER TABLE typed REPLICA IDENTITY NOTHING;
CREATE STATISTICS indexed_statistics (ndistinct, dependencies, mcv) ON id, t, n FROM indexed;
ALTER STATISTICS indexed_statistics SET STATISTICS 42;

-- Sequences.
CREATE SEQUENCE free_standing;
SELECT nextval('free_standing') FROM generate_series(1, 5);
CREATE SEQUENCE never_called START 77;
CREATE SEQUENCE backwards INCREMENT -3 MAXVALUE 10 MINVALUE -100 START 10;
SELECT nextval('backwards') FROM generate_series(1, 9);
CREATE SEQUENCE at_its_end MAXVALUE 3;
SELECT nextval('at_its_end') FROM generate_series(1, 3);
CREATE SEQUENCE negative_at_its_end AS smallint INCREMENT -1 MINVALUE -32768;
SELECT setval('negative_at_its_end', -32768);
CREATE SEQUENCE largest;
SELECT setval('largest', 9223372036854775807);
CREATE SEQUENCE set_not_called AS int CYCLE CACHE 20;
SELECT setval('set_not_called', 41, false);
CREATE SEQUENCE smallest MINVALUE -9223372036854775808 START -9223372036854775808;
SELECT nextval('smallest');
CREATE SEQUENCE kinds.owned_by_another OWNED BY kinds.tree.id;
ALTER TABLE serials ALTER a DROP DEFAULT;
ALTER SEQUENCE serials_a_seq OWNED BY NONE;
CREATE TABLE default_from_sequence (id bigint DEFAULT nextval('free_standing'), o text DEFAULT current_setting('server_version_num'));
RESET search_path;
