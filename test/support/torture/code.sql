-- What a database holds besides tables: functions, views, rules, triggers, operators, text search, collations.
CREATE SCHEMA code;
SET search_path = code, public;

CREATE COLLATION german (PROVIDER = icu, LOCALE = 'de-u-co-phonebk');
CREATE COLLATION case_blind (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
CREATE COLLATION copied FROM "C";
CREATE TABLE collated (g text COLLATE german, c text COLLATE case_blind PRIMARY KEY, p text COLLATE "POSIX");
INSERT INTO collated VALUES ('Äpfel', 'one', 'x'), ('Apfel', 'Two', 'y');

CREATE FUNCTION add(a int, b int DEFAULT 2, OUT total int) LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 7 SET work_mem = '3MB' SET search_path = 'code', "$user" AS $f$
BEGIN
  total := a + b; -- $$ 'quotes' \. \N
END
$f$;
CREATE FUNCTION variadic_sum(VARIADIC n numeric[]) RETURNS numeric LANGUAGE sql SECURITY DEFINER LEAKPROOF AS 'SELECT sum(x) FROM unnest(n) x';
CREATE FUNCTION pairs() RETURNS TABLE (a int, "B c" text) LANGUAGE sql ROWS 3 AS $$VALUES (1, 'x'), (2, '\.')$$;
CREATE FUNCTION body_with_copy() RETURNS text LANGUAGE sql AS $$SELECT '
COPY public.same_name (id) FROM stdin;
1
\.
'::text$$;
CREATE PROCEDURE nothing(INOUT a int) LANGUAGE plpgsql AS 'BEGIN a := 1; COMMIT; END';
CREATE FUNCTION polymorphic(anyelement, anyarray) RETURNS anyelement LANGUAGE sql AS 'SELECT $1';
CREATE AGGREGATE product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1', PARALLEL = SAFE, COMBINEFUNC = numeric_mul);
CREATE AGGREGATE percentile_like(float8 ORDER BY float8) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_cont_float8_final);
CREATE FUNCTION near(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT abs($1 - $2) < 2';
CREATE OPERATOR ~=~ (LEFTARG = int, RIGHTARG = int, FUNCTION = near, COMMUTATOR = ~=~, RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE OPERATOR !!! (RIGHTARG = int, FUNCTION = int4um);
CREATE OPERATOR FAMILY backwards USING btree;
CREATE FUNCTION backwards(int, int) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS 'SELECT btint4cmp($2, $1)';
CREATE OPERATOR CLASS backwards FOR TYPE int USING btree FAMILY backwards AS OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 backwards(int, int);
CREATE TABLE sorted (n int);
INSERT INTO sorted SELECT generate_series(1, 100);
CREATE INDEX ON sorted (n backwards);
CREATE TYPE celsius AS (degrees float8);
CREATE FUNCTION to_celsius(float8) RETURNS celsius LANGUAGE sql IMMUTABLE AS 'SELECT ROW($1)::code.celsius';
CREATE CAST (float8 AS celsius) WITH FUNCTION to_celsius(float8) AS ASSIGNMENT;
CREATE CAST (celsius AS text) WITH INOUT;
CREATE CONVERSION own_conversion FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;
CREATE TYPE shell_only;
CREATE TEXT SEARCH DICTIONARY plain_english (TEMPLATE = snowball, LANGUAGE = english, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION own_search (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION own_search ALTER MAPPING FOR asciiword, word WITH plain_english, simple;
CREATE TEXT SEARCH TEMPLATE own_template (LEXIZE = dsimple_lexize, INIT = dsimple_init);
CREATE TEXT SEARCH PARSER own_parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE TABLE searched (t text, v tsvector GENERATED ALWAYS AS (to_tsvector('code.own_search', t)) STORED);
INSERT INTO searched VALUES ('the foxes were jumping'), (NULL);
CREATE INDEX ON searched USING gin (v);

-- A check that calls a function, a default that calls one, an index on one: all with an empty search path in the restore.
CREATE FUNCTION code.is_even(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 2 = 0';
CREATE TABLE uses_functions (n int CHECK (code.is_even(n)), m int DEFAULT code.add(1, 1), g int GENERATED ALWAYS AS (code.add(1, 5)) STORED);
INSERT INTO uses_functions VALUES (2), (4);
CREATE INDEX ON uses_functions ((code.add(n, m)));

-- Views, and materialized views that depend on each other against the order of their names.
CREATE VIEW simple_view WITH (security_barrier = true) AS SELECT id, t FROM vals.texts WHERE id < 10 WITH LOCAL CHECK OPTION;
CREATE VIEW grouped_by_key AS SELECT b, d, count(*) FROM kinds.serials GROUP BY b; -- needs the primary key, which comes after the rows
CREATE VIEW on_top_of_it AS SELECT * FROM grouped_by_key;
CREATE RECURSIVE VIEW numbers (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 10;
CREATE VIEW "view with ""defaults""" AS SELECT n, n + 1 AS more FROM sorted;
ALTER VIEW "view with ""defaults""" ALTER n SET DEFAULT 3;
CREATE MATERIALIZED VIEW z_first AS SELECT n, n * 2 AS twice FROM sorted WITH DATA;
CREATE MATERIALIZED VIEW m_second AS SELECT sum(twice) AS total, count(*) FROM z_first;
CREATE MATERIALIZED VIEW a_third (renamed) AS SELECT total + 1 FROM m_second;
CREATE MATERIALIZED VIEW unpopulated AS SELECT * FROM z_first WITH NO DATA;
CREATE MATERIALIZED VIEW over_grouped WITH (fillfactor = 50) AS SELECT * FROM on_top_of_it WITH DATA;
CREATE MATERIALIZED VIEW over_matview_and_function AS SELECT a.renamed, f.* FROM a_third a, pairs() f;
CREATE UNIQUE INDEX ON z_first (n);
CREATE INDEX ON unpopulated (twice);
CREATE VIEW over_matview AS SELECT * FROM over_matview_and_function;
CREATE TABLE mentions_rowtype (v simple_view, z z_first);
INSERT INTO mentions_rowtype VALUES (ROW(1, 'x')::simple_view, NULL);

-- Rules. COPY does not fire them; a restore by INSERT would.
CREATE TABLE ruled (id int, t text);
CREATE TABLE ruled_log (id int, what text);
CREATE RULE also AS ON INSERT TO ruled DO ALSO INSERT INTO ruled_log VALUES (NEW.id, 'inserted');
CREATE RULE nothing AS ON DELETE TO ruled WHERE OLD.id = 1 DO INSTEAD NOTHING;
CREATE RULE disabled AS ON UPDATE TO ruled DO ALSO NOTIFY ruled;
ALTER TABLE ruled DISABLE RULE disabled;
CREATE RULE redirect AS ON INSERT TO on_top_of_it DO INSTEAD NOTHING;
INSERT INTO ruled VALUES (1, 'a'), (2, 'b');

-- Triggers that would change or refuse every row if they fired while the rows are loaded.
CREATE TABLE triggered (id int PRIMARY KEY, t text);
INSERT INTO triggered SELECT i, 'row ' || i FROM generate_series(1, 50) i;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'the trigger % fired', TG_NAME; END$$;
CREATE FUNCTION let_pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER refuse_rows BEFORE INSERT OR UPDATE OF t OR DELETE ON triggered FOR EACH ROW EXECUTE FUNCTION refuse('arg', 'it''s \x');
CREATE TRIGGER refuse_statement BEFORE TRUNCATE ON triggered FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE TRIGGER with_when AFTER UPDATE ON triggered FOR EACH ROW WHEN (OLD.t IS DISTINCT FROM NEW.t) EXECUTE FUNCTION let_pass();
CREATE TRIGGER with_transition AFTER INSERT ON triggered REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION let_pass();
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON triggered DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER "disabled \ one" AFTER DELETE ON triggered FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER always AFTER INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER replica AFTER INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION let_pass();
ALTER TABLE triggered DISABLE TRIGGER "disabled \ one", ENABLE ALWAYS TRIGGER always, ENABLE REPLICA TRIGGER replica;
CREATE TRIGGER on_view INSTEAD OF INSERT ON simple_view FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER on_partitions AFTER INSERT ON parts.by_range FOR EACH ROW EXECUTE FUNCTION let_pass();
ALTER TABLE parts.by_range_2022 DISABLE TRIGGER on_partitions;

-- Row-level security: the policies hide all rows from nearly everybody.
CREATE TABLE secured (id int, owner name DEFAULT current_user, t text);
INSERT INTO secured SELECT i, 'nobody', 'secret ' || i FROM generate_series(1, 40) i;
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
ALTER TABLE secured FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON secured FOR SELECT TO torture_reader, "Torture ""Writer""" USING (owner = current_user);
CREATE POLICY "restrict
ive" ON secured AS RESTRICTIVE FOR UPDATE USING (id > 5) WITH CHECK (id < 1000);
CREATE TABLE policy_without_security (id int);
CREATE POLICY asleep ON policy_without_security USING (false);
INSERT INTO policy_without_security VALUES (1);
RESET search_path;
