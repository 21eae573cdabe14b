-- Large objects with fixed OIDs, so that two databases can be compared.
SELECT lo_from_bytea(900001, '\x00ff5c0a5c2e0a');
SELECT lo_from_bytea(900002, '');
SELECT lo_from_bytea(900003, convert_to(repeat('large object ', 100000), 'UTF8'));
SELECT lo_from_bytea(900004, 'sparse');
SELECT lo_put(900004, 300000, 'far away');
SELECT lo_from_bytea(900100 + i::oid::int, convert_to('object ' || i, 'UTF8')) FROM generate_series(1, 60) i;
ALTER LARGE OBJECT 900001 OWNER TO torture_owner;
GRANT SELECT ON LARGE OBJECT 900001 TO torture_reader;
GRANT SELECT, UPDATE ON LARGE OBJECT 900003 TO "Torture ""Writer""" WITH GRANT OPTION;
REVOKE ALL ON LARGE OBJECT 900110 FROM CURRENT_USER;
COMMENT ON LARGE OBJECT 900001 IS 'it''s a \. comment
over two lines';
