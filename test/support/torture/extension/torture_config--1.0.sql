-- Rows that the user adds to configuration tables belong to the dump, although the tables belong to the extension.
CREATE TABLE setting (name text PRIMARY KEY, value text, built_in bool DEFAULT false);
INSERT INTO setting VALUES ('shipped', 'by the extension', true);
CREATE TABLE setting_detail (id serial PRIMARY KEY, name text REFERENCES setting, detail text);
CREATE TABLE "Private Table" (id int);
INSERT INTO "Private Table" VALUES (1), (2);
CREATE SEQUENCE ticket;
SELECT pg_extension_config_dump('setting', 'WHERE NOT built_in');
SELECT pg_extension_config_dump('setting_detail', '');
SELECT pg_extension_config_dump('ticket', '');
CREATE FUNCTION setting_of(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT value FROM torture_config.setting WHERE name = $1';
