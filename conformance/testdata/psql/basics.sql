-- Queries, variables, \d, \gdesc, \gset, \if, errors.
CREATE SCHEMA :schema;
SET search_path = :schema, public;
CREATE TABLE guests (id serial PRIMARY KEY, name text NOT NULL, seat int REFERENCES guests (id), arrived timestamptz);
COMMENT ON TABLE guests IS 'who is coming';
CREATE INDEX guests_by_name ON guests (name);
CREATE VIEW seated AS SELECT * FROM guests WHERE seat IS NOT NULL;
INSERT INTO guests (name) SELECT 'guest ' || n FROM generate_series(1, 5) AS n;
-- expect: INSERT 0 5
\d guests
\d+ seated
\dt guests*
\di guests*
\df now
SELECT id, name, arrived, 1.5::numeric AS price FROM guests \gdesc
-- expect: price   | numeric
SELECT count(*) AS guests FROM guests \gset
\echo there are :guests guests
-- expect: there are 5 guests
SELECT :guests > 0 AS any \gset
\if :any
\echo somebody
\else
\echo nobody
\endif
SELECT name FROM guests WHERE id = 99;
SELECT * FROM nowhere;
\errverbose
SELECT 1/0;
\echo :SQLSTATE :LAST_ERROR_MESSAGE
-- expect: 22012 division by zero
\x
SELECT * FROM guests WHERE id = 1;
\x
SELECT id % 2 AS odd, name, id FROM guests \crosstabview odd name id
BEGIN;
DELETE FROM guests;
ROLLBACK;
SELECT count(*) FROM guests;
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO guests (name) VALUES ('kept');
INSERT INTO guests (name) VALUES (NULL);
INSERT INTO guests (name) VALUES ('kept, too');
COMMIT;
\unset ON_ERROR_ROLLBACK
SELECT count(*) FROM guests;
\set AUTOCOMMIT off
INSERT INTO guests (name) VALUES ('rolled back');
ROLLBACK;
\set AUTOCOMMIT on
SELECT count(*) AS after_all FROM guests;
\set FETCH_COUNT 2
SELECT name FROM guests ORDER BY id;
\unset FETCH_COUNT
SELECT format('SELECT %s AS n', n) FROM generate_series(1, 3) AS n \gexec
SHOW search_path;
RESET search_path;
DROP SCHEMA :schema CASCADE;
