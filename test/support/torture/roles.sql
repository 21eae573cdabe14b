-- Roles of the cluster that objects of the torture database belong to. May run again.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
DO $$
DECLARE
  role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['torture_owner', 'torture_reader', 'Torture "Writer"', 'torture ümläut'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('CREATE ROLE %I', role);
    END IF;
  END LOOP;
END
$$;
GRANT torture_owner TO torture_reader WITH ADMIN OPTION;
