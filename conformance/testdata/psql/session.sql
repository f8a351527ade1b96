-- What a session keeps: settings, temporary tables, cursors, prepared statements, locks, large objects, listening.
CREATE SCHEMA :schema;
SET search_path = :schema;
SET statement_timeout = '30s';
SET TIME ZONE 'Asia/Tokyo';
SHOW statement_timeout;
SELECT timestamptz '2026-11-23 00:00:00+00';
-- expect: 2026-11-23 09:00:00+09
CREATE TEMP TABLE kept (id int);
INSERT INTO kept VALUES (1), (2);
SELECT count(*) FROM kept;
PREPARE add (int, int) AS SELECT $1 + $2 AS sum;
EXECUTE add (40, 2);
DEALLOCATE add;
EXECUTE add (40, 2);
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT generate_series(1, 4) AS n;
FETCH 1 FROM held;
COMMIT;
FETCH 2 FROM held;
CLOSE held;
SELECT pg_advisory_lock(42);
SELECT pg_advisory_unlock(42);
LISTEN something;
NOTIFY something, 'for myself';
UNLISTEN *;
CREATE SEQUENCE numbers;
BEGIN;
SELECT nextval('numbers');
SELECT currval('numbers');
COMMIT;
\lo_import /dev/null
SELECT lo_from_bytea(0, 'some bytes') AS large \gset
SELECT convert_from(lo_get(:large), 'UTF8');
\lo_unlink :large
SET ROLE pg_monitor;
SELECT current_user;
RESET ROLE;
SELECT current_user;
\encoding LATIN1
\encoding
\encoding UTF8
SET search_path = 'nowhere, "odd"';
SHOW search_path;
DISCARD ALL;
SHOW statement_timeout;
SELECT * FROM kept;
DROP SCHEMA :schema CASCADE;
