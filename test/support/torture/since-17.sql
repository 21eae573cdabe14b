-- PostgreSQL 16 and 17: infinite intervals, identity columns of partitions, built-in collations, tailored ICU rules, access method of a partitioned table.
INSERT INTO vals.times (id, i) VALUES (100, 'infinity'), (101, '-infinity');
CREATE TABLE parts.identity (id bigint GENERATED ALWAYS AS IDENTITY, k int) PARTITION BY LIST (k);
CREATE TABLE parts.identity_1 PARTITION OF parts.identity FOR VALUES IN (1);
CREATE TABLE parts.identity_2 PARTITION OF parts.identity FOR VALUES IN (2);
INSERT INTO parts.identity (k) SELECT 1 + i % 2 FROM generate_series(1, 50) i;
CREATE COLLATION code.built_in (PROVIDER = builtin, LOCALE = 'C.UTF-8');
CREATE COLLATION code.tailored (PROVIDER = icu, LOCALE = 'und', RULES = '&a < g');
CREATE TABLE code.collated_too (b text COLLATE code.built_in, t text COLLATE code.tailored);
INSERT INTO code.collated_too VALUES ('ä', 'g'), ('z', 'b');
CREATE INDEX ON code.collated_too (t);
CREATE TABLE parts.by_access_method (id int) PARTITION BY HASH (id) USING heap_by_another_name;
CREATE TABLE parts.by_access_method_0 PARTITION OF parts.by_access_method FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO parts.by_access_method VALUES (1);
CREATE TABLE parts.excluded (id int, during int4range, EXCLUDE USING gist (id WITH =, during WITH &&)) PARTITION BY LIST (id);
CREATE TABLE parts.excluded_1 PARTITION OF parts.excluded FOR VALUES IN (1);
INSERT INTO parts.excluded VALUES (1, '[1,2)'), (1, '[2,3)');
GRANT MAINTAIN ON kinds.tree TO torture_reader;
