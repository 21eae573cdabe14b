-- A comment on everything, each of several lines with characters that need care.
DO $do$
DECLARE
  command text;
  own CONSTANT text := $$NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'torture_config')$$;
BEGIN
  FOR command IN
    SELECT format('COMMENT ON %s %I.%I IS %L', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE'
        WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, nspname, relname, format(E'%s\n\\. it''s "%s" -- \\ $$', relkind, relname))
      FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
      WHERE nspname NOT LIKE 'pg\_%' AND nspname NOT IN ('information_schema', 'torture_config') AND relkind <> 't'
    UNION ALL
    SELECT format('COMMENT ON CONSTRAINT %I ON %s IS %L', conname, conrelid::regclass, conname || E'\n')
      FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace WHERE conrelid <> 0 AND conparentid = 0 AND nspname NOT LIKE 'pg\_%' AND nspname <> 'torture_config'
    UNION ALL
    SELECT format('COMMENT ON CONSTRAINT %I ON DOMAIN %s IS %L', conname, contypid::regtype, conname || E'\n')
      FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace WHERE contypid <> 0 AND nspname = 'vals' AND convalidated
    UNION ALL
    SELECT format('COMMENT ON TRIGGER %I ON %s IS %L', tgname, tgrelid::regclass, tgname) FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text NOT LIKE 'parts.by_range_%'
      AND tgrelid::regclass::text NOT LIKE 'parts."%'
    UNION ALL
    SELECT format('COMMENT ON POLICY %I ON %s IS %L', polname, polrelid::regclass, polname) FROM pg_policy
    UNION ALL
    SELECT format('COMMENT ON RULE %I ON %s IS %L', rulename, ev_class::regclass, rulename) FROM pg_rewrite WHERE rulename <> '_RETURN' AND ev_class > 16384
    UNION ALL
    SELECT format('COMMENT ON SCHEMA %I IS %L', nspname, nspname) FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%' AND nspname NOT IN ('information_schema', 'torture_config')
    UNION ALL
    SELECT format('COMMENT ON ROUTINE %s IS %L', p.oid::regprocedure, proname)
      FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname IN ('code', 'select', 'vals') AND prokind IN ('f', 'p')
    UNION ALL
    SELECT format('COMMENT ON TYPE %s IS %L', t.oid::regtype, typname)
      FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE nspname IN ('vals', 'select') AND typtype IN ('e', 'r')
    UNION ALL
    SELECT format('COMMENT ON COLUMN %s.%I IS %L', c.oid::regclass, attname, 'column ' || attname)
      FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
      WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND attnum > 0 AND NOT attisdropped AND nspname IN ('vals', 'parts', 'code', 'foreigners', 'select')
  LOOP
    EXECUTE command;
  END LOOP;
END
$do$;
COMMENT ON AGGREGATE code.product(numeric) IS 'aggregate';
COMMENT ON OPERATOR code.~=~ (int, int) IS 'operator';
COMMENT ON OPERATOR CLASS code.backwards USING btree IS 'class';
COMMENT ON OPERATOR FAMILY code.backwards USING btree IS 'family';
COMMENT ON CAST (float8 AS code.celsius) IS 'cast';
COMMENT ON COLLATION code.german IS 'collation';
COMMENT ON CONVERSION code.own_conversion IS 'conversion';
COMMENT ON DOMAIN vals.positive IS 'domain';
COMMENT ON ACCESS METHOD heap_by_another_name IS 'access method';
COMMENT ON FOREIGN DATA WRAPPER no_handler IS 'wrapper';
COMMENT ON SERVER unreachable IS 'server';
COMMENT ON PUBLICATION of_nothing IS 'publication';
COMMENT ON SUBSCRIPTION slotless IS 'subscription';
COMMENT ON STATISTICS kinds.indexed_statistics IS 'statistics';
COMMENT ON TEXT SEARCH CONFIGURATION code.own_search IS 'configuration';
COMMENT ON TEXT SEARCH DICTIONARY code.plain_english IS 'dictionary';
COMMENT ON TEXT SEARCH PARSER code.own_parser IS 'parser';
COMMENT ON TEXT SEARCH TEMPLATE code.own_template IS 'template';
COMMENT ON LANGUAGE plpgsql IS 'a comment of our own';
