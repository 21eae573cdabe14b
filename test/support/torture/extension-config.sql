-- Needs extension/torture_config* in the server's share folder.
CREATE EXTENSION torture_config;
INSERT INTO torture_config.setting VALUES ('user', E'by the\n\\. user'), ('user two', NULL);
INSERT INTO torture_config.setting_detail (name, detail) VALUES ('user', 'd1'), ('user two', 'd2'), ('shipped', 'd3');
SELECT setval('torture_config.ticket', 42);
INSERT INTO torture_config."Private Table" VALUES (3);
GRANT SELECT ON torture_config.setting TO torture_reader;
CREATE VIEW public.over_extension AS SELECT * FROM torture_config.setting;
