-- \copy and COPY in both directions, with errors.
CREATE SCHEMA :schema;
SET search_path = :schema;
CREATE TABLE lines (id int PRIMARY KEY, text text);
COPY lines FROM STDIN;
1	one
2	two with a \t tab
3	\N
\.
SELECT * FROM lines ORDER BY id;
\copy lines to 'lines.csv' csv header
-- expect: COPY 3
TRUNCATE lines;
\copy lines from 'lines.csv' csv header
-- expect: COPY 3
\copy (SELECT * FROM lines WHERE id < 3) to stdout
COPY (SELECT id, length(text) FROM lines ORDER BY id) TO STDOUT (FORMAT csv);
-- A duplicate, and a line that cannot be read.
\copy lines from 'lines.csv' csv header
COPY lines FROM STDIN;
4	four
x	not a number
5	five
\.
SELECT count(*) FROM lines;
\copy lines from 'no_such_file.csv' csv
\copy nowhere from 'lines.csv' csv
BEGIN;
COPY lines FROM STDIN (FORMAT csv);
6,six
\.
ROLLBACK;
SELECT count(*) FROM lines;
-- Large enough to stream.
INSERT INTO lines SELECT n, repeat('long ', 100) FROM generate_series(100, 5099) AS n;
\copy lines to 'large.txt'
TRUNCATE lines;
\copy lines from 'large.txt'
SELECT count(*), sum(length(text)) FROM lines;
-- expect: 5003 | 2500019
DROP SCHEMA :schema CASCADE;
RESET search_path;
