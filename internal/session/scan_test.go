package session

import (
	"strings"
	"testing"
)

// scanTable holds texts that every part of the scanner is tested with.
var scanTable = []struct {
	sql  string
	want Finding
}{
	// What leaves nothing.
	{"", 0},
	{" ;; ", 0},
	{"SELECT 1", 0},
	{"select abalance from pgbench_accounts where aid = $1;", 0},
	{"INSERT INTO t (a, b) VALUES ($1, $2) RETURNING id", 0},
	{"UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = 1;", 0},
	{"DELETE FROM t WHERE x = 'set_config'", 0},
	{"(SELECT 1) UNION (SELECT 2)", 0},
	{"((select 1))", 0},
	{"WITH x AS (SELECT 1) INSERT INTO temp SELECT * FROM x", 0},
	{"INSERT INTO temp VALUES (1)", 0},
	{"MERGE INTO temp USING s ON true WHEN MATCHED THEN DELETE", 0},
	{"SELECT temp, temporary FROM weather WHERE temp > 3", 0},
	{"SELECT set_config FROM t", 0},
	{"SELECT 'pg_advisory_lock(1)', $$ set_config('a.b', 'c', false) $$", 0},
	{"SELECT 1 /* ; SET x = 1 */", 0},
	{"SELECT 1 -- ; SET x = 1", 0},
	{"SELECT \"x; SET y\" FROM t", 0},
	{"/* usher:lane=critical */ SELECT 1", 0},
	{"-- hello\n\tSELECT 1", 0},
	{"SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock_shared(2)", 0},
	{"SELECT user_config, _add FROM x_addresses", 0},
	{"VALUES (1), (2)", 0},
	{"WITH hold AS (SELECT 1) SELECT * FROM hold", 0},
	{"TABLE t", 0},
	{"COPY t FROM STDIN", 0},
	{"SHOW search_path", 0},
	{"EXPLAIN ANALYZE SELECT 1", 0},
	{"VACUUM ANALYZE t", 0},
	{"NOTIFY c, 'set'", 0},
	{"FETCH ALL FROM c", 0},
	{"MOVE c", 0},
	{"LOCK TABLE t", 0},
	{"REFRESH MATERIALIZED VIEW v", 0},
	{"SET CONSTRAINTS ALL DEFERRED", 0},
	{"TRUNCATE t", 0},
	{"123", 0},

	// Transactions.
	{"BEGIN", Begin},
	{"begin isolation level serializable, read only", Begin},
	{"START TRANSACTION", Begin},
	{"COMMIT", Commit},
	{"commit and chain", Commit},
	{"END", Commit},
	{"COMMIT PREPARED 'x'", Commit},
	{"PREPARE TRANSACTION 'x'", Commit},
	{"ROLLBACK", Rollback},
	{"ROLLBACK AND CHAIN", Rollback},
	{"ABORT", Rollback},
	{"SAVEPOINT sp_1", Savepoint},
	{"RELEASE SAVEPOINT sp_1", Savepoint},
	{"ROLLBACK TO SAVEPOINT sp_1", RollbackTo},
	{"rollback work to x", RollbackTo},
	{"ROLLBACK /* a */ TRANSACTION -- b\n TO x", RollbackTo},
	{"BEGIN; SELECT 1; COMMIT", Begin | Commit | Multi},

	// Settings.
	{"SET search_path TO a, b", Setting},
	{"set SESSION application_name = 'x'", Setting},
	{"SET/**/x=1", Setting},
	{"\n--\n/* /* */ */set x to 1", Setting},
	{"SET TIME ZONE 'UTC'", Setting},
	{"SET NAMES 'utf8'", Setting},
	{"SET ROLE bob", Setting},
	{"SET SESSION AUTHORIZATION bob", Setting},
	{"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", Setting},
	{"RESET ALL", Setting},
	{"RESET x", Setting},
	{"RESET ROLE", Setting},
	{"RESET TRANSACTION ISOLATION LEVEL", Local},
	{"SET LOCAL x = 1", Local},
	{"SET LOCAL ROLE bob", Local},
	{"SET TRANSACTION READ ONLY", Local},
	{"SET local.x = 1", Setting},
	{"SET local = 1", Setting},
	{"SET LOCAL TO 1", Setting},
	{"SET transaction.x = 1", Setting},
	{"SET constraints.x = 1", Setting},
	{"SET session.x = 1", Setting},
	{"RESET transaction.x", Setting},
	{"SELECT set_config('a.b', 'c', false)", Setting},
	{"SELECT set_config('a.b', $1, false)", Setting},
	{"select SET_CONFIG ( 'a.b'::text, 'c' || 'd', x )", Setting},
	{"SELECT set_config('a.b', 'c', true)", 0},
	{"SELECT pg_catalog.set_config('a.b', f(1, ',', (2)), TRUE::boolean)", 0},
	{"SELECT set_config('a.b', 'c', 'true')", 0},
	{"SELECT set_config('a.b', 'c', true and x)", Setting},
	{"SELECT set_config('a.b', 'c', true or false)", Setting},
	{"SELECT set_config('a.b', 'c', (true))", Setting},
	{"SELECT set_config($1, $2, $3)", Setting | SettingHidden},
	{"SELECT set_config($1, $2, true)", 0},
	{"SELECT set_config('a' || 'b', 'c', false)", Setting | SettingHidden},
	{"SELECT \"set_config\"('a.b', 'c', false)", Setting},
	{"SELECT set_config('a.b', set_config('c.d', 'e', false), true)", Setting},
	{"SELECT set_config('a.b', set_config('c.d', 'e', true), true)", 0},
	{"SELECT set_config('a.b', 'c', true), set_config('d.e', 'f', false)", Setting},
	{"SELECT set_config('", Setting | SettingHidden},
	{"SELECT set_config(", Setting | SettingHidden},
	{"SELECT set_config(set_config(set_config(set_config(set_config('a','b',false)", Setting | SettingHidden},
	{"INSERT INTO t SELECT set_config('a.b', 'c', false)", Setting},
	{"COPY (SELECT set_config('a.b', 'c', false)) TO STDOUT", Setting},
	{"DISCARD ALL", Discard | DiscardAll},
	{"DISCARD PLANS", Discard},
	{"discard temp", Discard},
	{"LOAD 'auto_explain'", Load},

	// What pins.
	{"LISTEN c", Listen},
	{"UNLISTEN *", Unlisten},
	{"CREATE TEMP TABLE t (a int)", DDL | Temp},
	{"CREATE TEMPORARY VIEW v AS SELECT 1", DDL | Temp},
	{"CREATE OR REPLACE TEMP VIEW v AS SELECT 1", DDL | Temp},
	{"CREATE LOCAL TEMPORARY TABLE t ()", DDL | Temp},
	{"CREATE GLOBAL TEMP SEQUENCE s", DDL | Temp},
	{"CREATE TEMP SEQUENCE on_commit_drop", DDL | Temp},
	{"CREATE TEMP TABLE t (a int) ON COMMIT DROP", DDL},
	{"CREATE LOCAL TEMP TABLE t ON COMMIT DROP AS SELECT 1", DDL},
	{"CREATE TEMP TABLE t (a int) ON COMMIT DELETE ROWS", DDL | Temp},
	{"CREATE TEMP TABLE t (a int default 1 /* ON COMMIT DROP */)", DDL | Temp},
	{"CREATE TEMP TABLE t AS SELECT 'ON COMMIT DROP'", DDL | Temp},
	{"CREATE TEMP TABLE t (a int) ON COMMIT DROP; CREATE TEMP TABLE u ()", DDL | Temp | Multi},
	{"CREATE TABLE pg_temp.t (a int)", DDL | Temp},
	{"CREATE TABLE \"pg_temp\".t (a int)", DDL | Temp},
	{"SELECT 1 INTO TEMP t", Temp},
	{"SELECT 1 INTO LOCAL TEMPORARY TABLE t", Temp},
	{"WITH x AS (SELECT 1) SELECT * INTO TEMP t FROM x", Temp},
	{"EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1", Temp},
	{"SET search_path = pg_temp", Setting | Temp},
	{"SET LOCAL search_path = 'pg_temp'", Local | Temp},
	{"SELECT set_config('search_path', 'pg_temp', true)", Temp},
	{"SELECT pg_advisory_lock(1)", Advisory},
	{"SELECT pg_catalog.pg_try_advisory_lock_shared(1, 2)", Advisory},
	{"SELECT \"pg_advisory_lock\"(1)", Advisory},
	{"select PG_ADVISORY_LOCK(1)", Advisory},
	{"SELECT pg_advisory_unlock_all()", AdvisoryUnlock},
	{"SELECT pg_advisory_lock(1); SELECT pg_advisory_unlock(1)", Advisory | AdvisoryUnlock | Multi},
	{"DECLARE c CURSOR WITH HOLD FOR SELECT 1", CursorHold},
	{"DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1", 0},
	{"CLOSE c", CloseCursor},
	{"PREPARE p AS SELECT 1", SQLPrepare},
	{"PREPARE p (int) AS SELECT set_config('a.b', $1, false)", SQLPrepare | Setting},
	{"PREPARE transaction AS SELECT 1", SQLPrepare},
	{"EXECUTE p(1)", SQLExecute},
	{"DEALLOCATE p", Deallocate},
	{"DEALLOCATE PREPARE p", Deallocate},
	{"DEALLOCATE PREPARE", Deallocate},
	{"DEALLOCATE ALL", Deallocate | DeallocateAll},
	{"deallocate prepare all", Deallocate | DeallocateAll},
	{"DEALLOCATE; DISCARD ALL", Deallocate | Discard | DiscardAll | Multi},

	// Definitions and code.
	{"CREATE TABLE t (a int)", DDL},
	{"ALTER TABLE t ADD b int", DDL},
	{"ALTER ROLE bob SET search_path = x", DDL},
	{"DROP TABLE t", DDL | Drop},
	{"IMPORT FOREIGN SCHEMA s FROM SERVER x INTO y", DDL},
	{"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN LISTEN x; END $$", DDL},
	{"CALL p()", Call},
	{"DO $$ BEGIN PERFORM 1; UPDATE t SET x = 1; END $$", Do},
	{"DO $$ BEGIN SET x = 1; END $$", Do | Setting},
	{"DO LANGUAGE plpgsql $x$ BEGIN IF true THEN SET app.x = 1; END IF; END $x$", Do | Setting},
	{"DO $$ BEGIN SET LOCAL x = 1; COMMIT; END $$", Do | Local},
	{"DO 'BEGIN PERFORM set_config(''a.b'', ''c'', false); END'", Do | Setting},
	{"DO $$ BEGIN EXECUTE format('SET %I = %L', a, b); END $$", Do | Setting | SettingHidden},
	{"DO $$ BEGIN EXECUTE $q$ LISTEN x $q$; END $$", Do | Listen},
	{"DO $$ BEGIN EXECUTE format('UPDATE %I SET x = 1', t); END $$", Do},
	{"DO $$ BEGIN CREATE TEMP TABLE t (); END $$", Do | DDL | Temp},
	{"DO $$ BEGIN PERFORM pg_advisory_lock(1); END $$", Do | Advisory},
	{"DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$", Do | Deallocate | DeallocateAll | Unsure},
	{"DO $$ BEGIN RAISE NOTICE 'hello; world'; END $$", Do},

	// Several statements, and what looks like it.
	{"SELECT 1; SELECT 2", Multi},
	{"SELECT 1; ; ;", 0},
	{"SELECT ';'; ", 0},
	{"SET x = 1; SET y = 2", Setting | Multi},
	{"SELECT 1;SET x = 1", Setting | Multi},
	{"SELECT '\n;'\n'; SET x = 1'", 0},
	{"SELECT E'\\'; SET x = 1; --'", 0},
	{"SELECT E'a'\n'\\'; SET x = 1; --'", 0},
	{"SELECT 'a' --c\n ';SET x=1'", 0},
	{"SELECT 'a''; SET x = 1'", 0},
	{"SELECT $a$ $$ ; SET x = 1 $b$ $a$", 0},
	{"SELECT a$b$; SET x = 1; SELECT $b$", Setting | Multi},
	{"SELECT $1$; SET x = 1", Setting | Multi},
	{"SELECT 1 /* a /* b */ ; */; SET x = 1", Setting | Multi},
	{"SELECT 1--\n;SET x = 1", Setting | Multi},
	{"SELECT 1--\r;SET x = 1", Setting | Multi},
	{"SELECT \"a\"\"; b\"; SET x = 1", Setting | Multi},

	// What cannot be read reliably.
	{"SELECT 'a\\'; SET x = 1; --'", Unsure | Setting | Multi},
	{"SELECT 'a\\\\'; SELECT 2", Multi},
	{"SELECT E'\x83\\'; SET x = 1 --'", Unsure},
	{"SELECT U&\"\\0073et_config\"('a.b', 'c', false)", Unsure},
	{"FROBNICATE", Unsure},
}

func TestScanFindsWhatATextLeavesBehind(t *testing.T) {
	t.Parallel()
	for _, test := range scanTable {
		if got := Scan([]byte(test.sql)); got != test.want {
			t.Errorf("Scan(%q)\n got %v\nwant %v", test.sql, got, test.want)
		}
	}
}

func TestTheFastPathSaysNothingElseThanTheLexer(t *testing.T) {
	t.Parallel()
	for _, test := range scanTable {
		fast, slow := Scan([]byte(test.sql)), scanCarefully(trim([]byte(test.sql)))
		if fast != slow {
			t.Errorf("%q: fast %v, slow %v", test.sql, fast, slow)
		}
	}
}

func TestPlainStatementsAreNotLexed(t *testing.T) {
	for _, sql := range []string{
		"SELECT abalance FROM pgbench_accounts WHERE aid = 123456;",
		"UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = 1;",
		"INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 2, 3, 4, CURRENT_TIMESTAMP);",
		"BEGIN", "commit;",
		"/* lane */ SELECT 'a', \"b\", $1 -- c",
	} {
		text := trim([]byte(sql))
		if i := strings.IndexAny(sql, "SUIBc"); suspect(text[i:]) {
			t.Errorf("%q is lexed", sql)
		}
		if n := testing.AllocsPerRun(100, func() { Scan(text) }); n != 0 {
			t.Errorf("%q: %v allocations", sql, n)
		}
	}
}

func TestLexingDoesNotAllocate(t *testing.T) {
	text := []byte("SELECT set_config('app.user', 'x', false); SET search_path TO a, \"b\", 'c'")
	if n := testing.AllocsPerRun(100, func() { Scan(text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

var sink Finding

func BenchmarkScan(b *testing.B) {
	for name, sql := range map[string]string{
		"select60": "SELECT abalance FROM pgbench_accounts WHERE aid = 12345678;;;",
		"update67": "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = 1;",
		"insert98": "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) " +
			"VALUES (1, 2, 3, 4, CURRENT_TIMESTAMP);",
		"begin":     "BEGIN",
		"commit":    "COMMIT",
		"set":       "SET search_path TO a",
		"lexed60":   "SELECT abalance FROM pgbench_accounts WHERE aid = 1; SELECT 1",
		"insert10k": "INSERT INTO t VALUES " + strings.Repeat("(1, 'hello world', now(), 3.14), ", 300) + "(1)",
	} {
		b.Run(name, func(b *testing.B) {
			text := []byte(sql)
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				sink |= Scan(text)
			}
		})
	}
}
