-- A small database with a bit of everything that a restore has to put back.
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, feels mood, score numeric CHECK (score >= 0),
  shout text GENERATED ALWAYS AS (upper(name)) STORED);
CREATE TABLE orders (id bigserial PRIMARY KEY, customer int REFERENCES customers, note text, at timestamptz DEFAULT '2026-01-01');
CREATE INDEX orders_by_customer ON orders (customer);
CREATE TABLE events (id int, kind text, payload bytea) PARTITION BY RANGE (id);
CREATE TABLE events_low PARTITION OF events FOR VALUES FROM (0) TO (500);
CREATE TABLE events_high PARTITION OF events FOR VALUES FROM (500) TO (100000);
CREATE TABLE keyed (k mood, n int) PARTITION BY HASH (k);
CREATE TABLE keyed_0 PARTITION OF keyed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE keyed_1 PARTITION OF keyed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
CREATE SCHEMA "odd ""schema""";
CREATE TABLE "odd ""schema"""."Tab.le, with ""quotes""" ("a b" int, "ü" text);
INSERT INTO "odd ""schema"""."Tab.le, with ""quotes""" VALUES (1, E'tab\tnewline\nback\\slash'), (2, NULL), (3, '\.');
INSERT INTO customers (name, feels, score) SELECT 'customer ' || i, CASE i % 3 WHEN 0 THEN 'sad'::mood WHEN 1 THEN 'glad' END, i FROM generate_series(1, 300) i;
INSERT INTO orders (customer, note) SELECT 1 + i % 300, repeat(md5(i::text), 4) FROM generate_series(1, 20000) i;
INSERT INTO events SELECT i, 'kind ' || i % 7, decode(md5(i::text), 'hex') FROM generate_series(1, 5000) i;
INSERT INTO keyed SELECT CASE i % 2 WHEN 0 THEN 'sad'::mood ELSE 'glad' END, i FROM generate_series(1, 1000) i;
CREATE MATERIALIZED VIEW totals AS SELECT customer, count(*) AS orders FROM orders GROUP BY customer;
CREATE VIEW glad AS SELECT * FROM customers WHERE feels = 'glad';
CREATE FUNCTION no_notes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.note = 'touched by the trigger'; RETURN new; END $$;
CREATE TRIGGER no_notes BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION no_notes();
SELECT lo_from_bytea(0, decode(repeat('00ff', 1000), 'hex'));
SELECT setval('orders_id_seq', 123456);
