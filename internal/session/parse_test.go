package session

import (
	"strings"
	"testing"
)

// parseTable holds texts and the clean statement they mean; "" is a text whose effect is not known by its
// text.
var parseTable = []struct {
	sql, name, want string
}{
	{"SET search_path TO a, \"B c\", 'd''e'", "search_path", `SET "search_path" = a, "B c", 'd''e'`},
	{"set /* x */ Search_Path = a;", "search_path", `SET "search_path" = a`},
	{"SET SESSION work_mem = '64MB' ; ", "work_mem", `SET "work_mem" = '64MB'`},
	{"SET statement_timeout = -1", "statement_timeout", `SET "statement_timeout" = -1`},
	{"SET x = +1.5", "x", `SET "x" = 1.5`},
	{"SET x TO on", "x", `SET "x" = on`},
	{"SET app.user = '42'", "app.user", `SET "app"."user" = '42'`},
	{"SET App.\"User\".x = Bob", "app.user.x", `SET "app"."user"."x" = 'bob'`},
	{"SET app.x = 'a', 'b'", "app.x", `SET "app"."x" = 'a', 'b'`},
	{"SET app.x = 1", "app.x", `SET "app"."x" = 1`},
	{"SET app.x = ''", "app.x", `SET "app"."x" = ''`},
	{"SET app.x = 'it''s'", "app.x", `SET "app"."x" = 'it''s'`},
	{"SET application_name = 'x'", "application_name",
		`SET "application_name" = 'x'`},
	{"SET session.x = 'a'", "session.x", `SET "session"."x" = 'a'`},
	{"SET local.x = 'a'", "local.x", `SET "local"."x" = 'a'`},
	{"SET x TO DEFAULT", "x", `RESET "x"`},
	{"SET TIME ZONE 'Europe/Paris'", "timezone",
		`SET "timezone" = 'Europe/Paris'`},
	{"SET SESSION TIME ZONE utc", "timezone", `SET "timezone" = 'utc'`},
	{"SET TIME ZONE -3.5", "timezone", `SET TIME ZONE -3.5`},
	{"SET TIME ZONE LOCAL", "timezone", `RESET "timezone"`},
	{"SET TIME ZONE DEFAULT", "timezone", `RESET "timezone"`},
	{"SET NAMES 'utf8'", "client_encoding", `SET "client_encoding" = 'utf8'`},
	{"SET NAMES", "client_encoding", `RESET "client_encoding"`},
	{"SET SCHEMA 'x y'", "search_path", `SET "search_path" = 'x y'`},
	{"SET XML OPTION DOCUMENT", "xmloption", `SET "xmloption" = 'document'`},
	{"SET ROLE Bob", "role", `SET "role" = 'bob'`},
	{"SET ROLE \"Bob\"", "role", `SET "role" = 'Bob'`},
	{"SET ROLE NONE", "role", `SET "role" = 'none'`},
	{"SET role = 'bob'", "role", `SET "role" = 'bob'`},
	{"SET SESSION AUTHORIZATION 'bob'", "session_authorization",
		`SET "session_authorization" = 'bob'`},
	{"SET SESSION SESSION AUTHORIZATION DEFAULT", "session_authorization", `RESET "session_authorization"`},
	{"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ",
		"default_transaction_isolation",
		`SET "default_transaction_isolation" = 'repeatable read'`},
	{"SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "default_transaction_read_only",
		`SET "default_transaction_read_only" = 'off'`},
	{"SET SESSION CHARACTERISTICS AS TRANSACTION NOT DEFERRABLE", "default_transaction_deferrable",
		`SET "default_transaction_deferrable" = 'off'`},
	{"RESET ALL", "", "RESET ALL"},
	{"RESET app.x", "app.x", `RESET "app"."x"`},
	{"RESET TIME ZONE", "timezone", `RESET "timezone"`},
	{"RESET SESSION AUTHORIZATION", "session_authorization", `RESET "session_authorization"`},
	{"RESET ROLE", "role", `RESET "role"`},
	{"DISCARD ALL", "", "DISCARD ALL"},
	{"LOAD 'auto_explain'", "", "LOAD 'auto_explain'"},
	{"SELECT set_config('app.x', 'y', false)", "app.x", `SET "app"."x" = 'y'`},
	{"select pg_catalog.set_config('App.X','y',FALSE) AS z", "app.x",
		`SET "app"."x" = 'y'`},

	{sql: ""},
	{sql: ";"},
	{sql: "SELECT 1"},
	{sql: "SET"},
	{sql: "SET x"},
	{sql: "SET x ="},
	{sql: "SET x = 1 2"},
	{sql: "SET x = 1,"},
	{sql: "SET x = (1)"},
	{sql: "SET x = $1"},
	{sql: "SET x = E'a'"},
	{sql: "SET x = 'a\\b'"},
	{sql: "SET x = 'a'\n'b'"},
	{sql: "SET x = $$a$$"},
	{sql: "SET x = U&'a'"},
	{sql: "SET x = 'ä'"},
	{sql: "SET ä = 'a'"},
	{sql: "SET x FROM CURRENT"},
	{sql: "SET \"a b\" = 1"},
	{sql: "SET \"a\"\"b\" = 1"},
	{sql: "SET a..b = 1"},
	{sql: "SET LOCAL x = 1"},
	{sql: "SET TRANSACTION READ ONLY"},
	{sql: "SET CONSTRAINTS ALL DEFERRED"},
	{sql: "SET TIME ZONE INTERVAL '+1' HOUR"},
	{sql: "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, DEFERRABLE"},
	{sql: "SET transaction_isolation = 'serializable'"},
	{sql: "SET seed = 0.5"},
	{sql: "SET role = 1"},
	{sql: "SET ROLE a, b"},
	{sql: "SET x = 1; SET y = 2"},
	{sql: "SET x = " + strings.Repeat("y", 64)},
	{sql: "SET x = '" + strings.Repeat("y", MaxValueBytes) + "'"},
	{sql: "SET " + strings.Repeat("x", 64) + " = 1"},
	{sql: "SET x = a" + strings.Repeat(", a", 40)},
	{sql: "RESET"},
	{sql: "RESET a b"},
	{sql: "RESET TRANSACTION ISOLATION LEVEL"},
	{sql: "DISCARD PLANS"},
	{sql: "LOAD x"},
	{sql: "SELECT set_config('app.x', $1, false)"},
	{sql: "SELECT set_config('app.x', 'y', true)"},
	{sql: "SELECT set_config('app.x', 'y', false) FROM t"},
	{sql: "SELECT set_config('app.x', 'y', false), 1"},
	{sql: "SELECT other.set_config('app.x', 'y', false)"},
}

func TestAChangeIsReadFromItsTextOrRefused(t *testing.T) {
	t.Parallel()
	for _, test := range parseTable {
		change, ok := ParseChange([]byte(test.sql))
		if ok != (test.want != "") {
			t.Errorf("ParseChange(%q) = %+v, %v", test.sql, change, ok)
			continue
		}
		if ok && (change.SQL() != test.want || change.Name != test.name) {
			t.Errorf("ParseChange(%q) = %q, %s\nwant %q, %s",
				test.sql, change.Name, change.SQL(), test.name, test.want)
		}
	}
}

func TestDeallocatedReadsTheNameAsPostgreSQLDoes(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"DEALLOCATE p1":                  "p1",
		"deallocate PREPARE P1;":         "p1",
		`DEALLOCATE "P ""1"`:             `P "1`,
		"/* x */ DEALLOCATE prepare":     "prepare",
		"DEALLOCATE ALL":                 "*",
		"DEALLOCATE PREPARE ALL -- x":    "*",
		"DEALLOCATE":                     "!",
		"DEALLOCATE a b":                 "!",
		"DEALLOCATE a; SELECT 1":         "!",
		"DEALLOCATE 'a'":                 "!",
		"SELECT 1":                       "!",
		"DEALLOCATE ALL a":               "!",
		`DEALLOCATE "ALL"`:               "ALL",
		"DEALLOCATE PREPARE PREPARE all": "!",
	} {
		name, all, ok := Deallocated([]byte(sql))
		switch {
		case !ok:
			name = "!"
		case all:
			name = "*"
		}
		if name != want {
			t.Errorf("Deallocated(%q) = %q, want %q", sql, name, want)
		}
	}
}
