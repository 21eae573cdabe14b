-- What `--profile demo` fills its database with: something to back up and to restore.
CREATE SCHEMA application;
CREATE TABLE application.users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, joined date NOT NULL);
CREATE TABLE application.orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES application.users,
  placed timestamptz NOT NULL,
  total numeric(10, 2) NOT NULL CHECK (total >= 0)
);
INSERT INTO application.users (name, joined) SELECT 'user ' || i, date '2020-01-01' + i % 2000 FROM generate_series(1, 2000) i;
INSERT INTO application.orders (user_id, placed, total)
  SELECT 1 + i % 2000, timestamptz '2026-01-01' + i * interval '5 minutes', (i * 37 % 100000) / 100.0 FROM generate_series(1, 20000) i;
CREATE INDEX orders_by_user ON application.orders (user_id);
