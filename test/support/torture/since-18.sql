-- PostgreSQL 18: virtual generated columns, temporal keys, constraints that are not enforced, not-null constraints with names.
CREATE TABLE kinds.virtual (a int, doubled int GENERATED ALWAYS AS (a * 2) VIRTUAL, b text, stored text GENERATED ALWAYS AS (upper(b)) STORED);
INSERT INTO kinds.virtual (a, b) SELECT i, 'v' || i FROM generate_series(1, 25) i;
CREATE TABLE kinds.only_virtual (one int GENERATED ALWAYS AS (1));
INSERT INTO kinds.only_virtual SELECT FROM generate_series(1, 4);
CREATE TABLE kinds.temporal (id int, valid daterange, PRIMARY KEY (id, valid WITHOUT OVERLAPS));
CREATE TABLE kinds.temporal_reference (id int, valid daterange, FOREIGN KEY (id, PERIOD valid) REFERENCES kinds.temporal (id, PERIOD valid));
INSERT INTO kinds.temporal VALUES (1, '[2024-01-01,2024-07-01)'), (1, '[2024-07-01,2025-01-01)');
INSERT INTO kinds.temporal_reference VALUES (1, '[2024-03-01,2024-09-01)');
CREATE TABLE kinds.not_enforced (id int, parent int REFERENCES kinds.chicken NOT ENFORCED, CONSTRAINT wishful CHECK (id > 10) NOT ENFORCED);
INSERT INTO kinds.not_enforced VALUES (1, 999999);
CREATE TABLE kinds.named_not_null (a int CONSTRAINT "a is there" NOT NULL, b int CONSTRAINT not_inherited NOT NULL NO INHERIT, c int);
INSERT INTO kinds.named_not_null VALUES (1, 1, NULL);
ALTER TABLE kinds.named_not_null ADD CONSTRAINT "c will be" NOT NULL c NOT VALID;
CREATE TABLE parts.virtual (id int, k int, sum int GENERATED ALWAYS AS (id + k)) PARTITION BY LIST (k);
CREATE TABLE parts.virtual_1 (k int, gone int, id int, sum int GENERATED ALWAYS AS (id - k));
ALTER TABLE parts.virtual_1 DROP COLUMN gone;
ALTER TABLE parts.virtual ATTACH PARTITION parts.virtual_1 FOR VALUES IN (1);
INSERT INTO parts.virtual (id, k) SELECT i, 1 FROM generate_series(1, 15) i;
