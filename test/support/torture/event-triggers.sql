-- Last of all: from here on nobody creates tables or indexes in this database, so a restore that creates event triggers before the rest fails.
CREATE FUNCTION code.refuse_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no % here', tg_tag; END$$;
CREATE FUNCTION code.watch_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NULL; END';
CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION code.watch_ddl();
CREATE EVENT TRIGGER "drop ""watch""" ON sql_drop WHEN TAG IN ('DROP TABLE', 'DROP FUNCTION') EXECUTE FUNCTION code.watch_ddl();
CREATE EVENT TRIGGER disabled_one ON table_rewrite EXECUTE FUNCTION code.refuse_ddl();
ALTER EVENT TRIGGER disabled_one DISABLE;
COMMENT ON EVENT TRIGGER watch IS 'watches';
CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('CREATE TABLE', 'CREATE INDEX', 'ALTER TABLE', 'CREATE FUNCTION') EXECUTE FUNCTION code.refuse_ddl();
ALTER EVENT TRIGGER watch ENABLE ALWAYS;
