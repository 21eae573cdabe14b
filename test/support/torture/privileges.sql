-- Owners, privileges of tables, columns and everything else, and default privileges.
ALTER SCHEMA kinds OWNER TO torture_owner;
ALTER SCHEMA "quo""te" OWNER TO "Torture ""Writer""";
ALTER TABLE kinds.tree OWNER TO torture_owner;
ALTER TABLE "select"."select" OWNER TO "Torture ""Writer""";
ALTER TYPE vals.mood OWNER TO "torture ümläut";
ALTER VIEW code.simple_view OWNER TO torture_owner;
ALTER MATERIALIZED VIEW code.unpopulated OWNER TO torture_owner;
ALTER FUNCTION code.add(int, int) OWNER TO torture_owner;
ALTER SEQUENCE kinds.free_standing OWNER TO torture_reader;
ALTER TABLE parts.by_range_2023 OWNER TO torture_owner;

GRANT USAGE ON SCHEMA kinds TO torture_reader;
GRANT USAGE, CREATE ON SCHEMA "new
line" TO "Torture ""Writer""" WITH GRANT OPTION;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO torture_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA "Mixed Case" TO torture_reader;
GRANT SELECT, INSERT ON kinds.tree TO "Torture ""Writer""" WITH GRANT OPTION;
GRANT USAGE ON SCHEMA "select" TO "Torture ""Writer""";
SET ROLE "Torture ""Writer""";
GRANT SELECT ON "select"."select" TO torture_reader;
RESET ROLE;
GRANT SELECT (id, t), UPDATE (t) ON vals.texts TO torture_reader;
GRANT INSERT ("select"), REFERENCES ("new
column") ON "select"."select" TO "torture ümläut";
GRANT ALL ON kinds.chicken TO PUBLIC;
REVOKE ALL ON kinds.tree FROM torture_owner;
GRANT SELECT, TRIGGER, TRUNCATE ON parts.by_range TO torture_reader;
GRANT USAGE ON SEQUENCE kinds.backwards TO torture_reader;
GRANT USAGE ON TYPE vals.mood TO torture_reader;
REVOKE USAGE ON TYPE vals."Text Range" FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION code.add(int, int) FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE code.nothing(int) TO torture_reader;
GRANT USAGE ON FOREIGN SERVER unreachable TO torture_reader;
GRANT USAGE ON FOREIGN DATA WRAPPER no_handler TO "Torture ""Writer""";
REVOKE USAGE ON LANGUAGE sql FROM PUBLIC;
GRANT USAGE ON LANGUAGE sql TO torture_reader;
GRANT SELECT ON pg_catalog.pg_authid TO torture_reader;

ALTER DEFAULT PRIVILEGES FOR ROLE torture_owner GRANT SELECT ON TABLES TO torture_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE torture_owner IN SCHEMA kinds GRANT ALL ON SEQUENCES TO "Torture ""Writer""" WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO torture_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE "Torture ""Writer""" REVOKE USAGE ON TYPES FROM PUBLIC;
