//go:build integration

package conformance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// setting is a parameter with values a client may give it and how SHOW prints them.
type setting struct {
	name   string
	values []string
}

// trackedSettings: some PostgreSQL reports to its clients, some it does not; applications set all of them.
var trackedSettings = []setting{
	{"application_name", []string{"app one", "app 'quoted'", "app; two"}},
	{"TimeZone", []string{"Asia/Tokyo", "Europe/Berlin", "America/New_York"}},
	{"DateStyle", []string{"SQL, DMY", "German, DMY", "Postgres, MDY"}},
	{"IntervalStyle", []string{"iso_8601", "sql_standard"}},
	{"search_path", []string{"pg_catalog", `"odd, name", public`, "a, b"}},
	{"statement_timeout", []string{"11s", "12s", "13s"}},
	{"work_mem", []string{"5MB", "6MB", "7MB"}},
	{"lock_timeout", []string{"21s", "22s"}},
	{"default_transaction_isolation", []string{"serializable", "repeatable read"}},
	{"extra_float_digits", []string{"0", "2"}},
	{"my.own_setting", []string{"x", "a longer value with 'quotes'"}},
}

// TestSettingsBelongToTheirClient lets more clients than server connections set, reset, roll back and show
// settings in random order, each beside a twin that is connected to PostgreSQL itself. The twins must agree
// all the time.
func TestSettingsBelongToTheirClient(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		random := newRandom(t)
		var twins []*twin
		for i := range 5 {
			options := []string{"application_name", fmt.Sprint("client ", i)}
			if i%2 == 0 {
				options = append(options, "options", fmt.Sprintf("-c work_mem=%dMB -c search_path=start_%d", 8+i, i))
			}
			twins = append(twins, &twin{
				actual: target.simple(t, options...), expected: directly(target.backing).simple(t, options...),
			})
		}
		// Only one at a time may be in a transaction: with two server connections the others still get one.
		for range 400 {
			busy := slices.IndexFunc(twins, func(w *twin) bool { return w.depth > 0 })
			chosen := random.IntN(len(twins))
			if busy >= 0 && random.IntN(3) > 0 {
				chosen = busy
			}
			twins[chosen].step(t, random, busy < 0 || chosen == busy)
		}
		for _, w := range twins {
			w.both(t, "ROLLBACK")
			w.compare(t)
		}
	})
}

// twin is one client through the target and one on PostgreSQL that does the same.
type twin struct {
	actual, expected *session
	depth            int // 0 outside of a transaction, then 1 + savepoints
	history          []string
}

// fatal says what is wrong and how it came about.
func (w *twin) fatal(t *testing.T, format string, arguments ...any) {
	t.Helper()
	const shown = 15
	t.Logf("the last statements of this client were\n\t%s",
		strings.Join(w.history[max(0, len(w.history)-shown):], "\n\t"))
	t.Fatalf(format, arguments...)
}

// step does one random thing on both.
func (w *twin) step(t *testing.T, random *rand.Rand, mayBegin bool) {
	t.Helper()
	chosen := trackedSettings[random.IntN(len(trackedSettings))]
	value := "'" + strings.ReplaceAll(chosen.values[random.IntN(len(chosen.values))], "'", "''") + "'"
	if chosen.name == "search_path" || chosen.name == "DateStyle" {
		value = chosen.values[random.IntN(len(chosen.values))]
	}
	// In a transaction a RESET shows what the server connection falls back to, not what the client began with, until
	// the transaction ends (docs/pooling.md).
	outside := w.depth == 0
	switch choice := random.IntN(16); {
	case choice < 5:
		w.both(t, fmt.Sprintf("SET %s TO %s", chosen.name, value))
	case choice < 6:
		w.both(t, fmt.Sprintf("SET LOCAL %s TO %s", chosen.name, value))
	case choice < 7:
		w.both(t, fmt.Sprintf("SELECT set_config('%s', %s, false)", chosen.name, quoted(value)))
	case choice < 8 && outside:
		w.both(t, "RESET "+chosen.name)
	case choice < 9 && outside:
		w.both(t, "SET "+chosen.name+" TO DEFAULT")
	case choice < 10 && outside && random.IntN(4) == 0:
		w.both(t, []string{"RESET ALL", "DISCARD ALL"}[random.IntN(2)])
	case choice < 12 && w.depth == 0 && mayBegin:
		w.both(t, "BEGIN")
		w.depth = 1
	case choice < 12 && w.depth > 0:
		w.both(t, fmt.Sprint("SAVEPOINT s", w.depth))
		w.depth++
	case choice < 14 && w.depth > 1:
		w.depth--
		w.both(t, fmt.Sprint([]string{"ROLLBACK TO s", "RELEASE s"}[random.IntN(2)], w.depth))
	case choice < 15 && w.depth > 0:
		w.both(t, []string{"COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "SELECT 1/0"}[random.IntN(4)])
		if w.status() == 'I' {
			w.depth = 0
		}
	default:
		w.compare(t)
	}
	w.follow()
}

// follow keeps depth right when a transaction failed or ended in another way.
func (w *twin) follow() {
	switch w.status() {
	case 'I':
		w.depth = 0
	case 'E':
		w.history = append(w.history, "ROLLBACK")
		w.expected.try("ROLLBACK")
		w.actual.try("ROLLBACK")
		w.depth = 0
	default:
		w.depth = max(w.depth, 1)
	}
}

func (w *twin) status() byte { return w.expected.conn.TxStatus() }

func quoted(value string) string {
	if strings.HasPrefix(value, "'") {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", "''") + "'"
}

// both runs SQL on both; they must fail alike.
func (w *twin) both(t *testing.T, sql string) {
	t.Helper()
	w.history = append(w.history, sql)
	expected, expectedError := w.expected.try(sql)
	actual, actualError := w.actual.try(sql)
	if sqlState(expectedError) != sqlState(actualError) || (expectedError == nil) != (actualError == nil) {
		w.fatal(t, "%s: PostgreSQL says %v, the target %v", sql, expectedError, actualError)
	}
	if expected != actual {
		w.fatal(t, "%s: PostgreSQL answers %q, the target %q", sql, expected, actual)
	}
	if e, a := w.expected.conn.TxStatus(), w.actual.conn.TxStatus(); e != a {
		w.fatal(t, "%s: transaction status %c with PostgreSQL, %c with the target", sql, e, a)
	}
	for _, name := range []string{"application_name", "TimeZone", "DateStyle", "IntervalStyle"} {
		if e, a := w.expected.conn.ParameterStatus(name), w.actual.conn.ParameterStatus(name); e != a {
			w.fatal(t, "%s: %s was reported as %q by PostgreSQL and as %q by the target", sql, name, e, a)
		}
	}
}

// compare shows everything in one query.
func (w *twin) compare(t *testing.T) {
	t.Helper()
	var columns []string
	for _, s := range trackedSettings {
		columns = append(columns, "nullif(current_setting('"+s.name+"', true), '')")
	}
	// concat_ws drops nulls: a parameter of an extension is null before its first SET and empty after its RESET,
	// and which of the two depends on the server connection.
	w.both(t, "SELECT concat_ws('|', "+strings.Join(columns, ", ")+")")
}

// TestSettingsOfDeadClientsAreForgotten: a client that leaves without tidying up leaves nothing to the next
// one.
func TestSettingsOfDeadClientsAreForgotten(t *testing.T) {
	t.Parallel()
	each(t, "one", func(t *testing.T, target *target) {
		for i := range 5 {
			client := target.simple(t)
			client.expect("SHOW search_path", `"$user", public`)
			client.expect("SHOW work_mem", "4MB")
			client.expect("SELECT current_user", "postgres")
			client.expect("SELECT count(*) FROM pg_prepared_statements WHERE NOT from_sql AND name = 'left'", "0")
			client.run("SET search_path = left_behind")
			client.run("SET work_mem = '99MB'")
			client.run("SET ROLE pg_monitor")
			if _, err := client.conn.Prepare(t.Context(), "left", "SELECT 1", nil); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				client.run("BEGIN")
				client.run("SET LOCAL statement_timeout = '99s'")
			}
			client.conn.Conn().Close()
		}
	})
}

// TestStartupOptionsReachEveryTransaction: what a client asked for at login holds on whichever server
// connection.
func TestStartupOptionsReachEveryTransaction(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		first := target.simple(t, "options", "-c statement_timeout=31s -c my.setting=first", "TimeZone",
			"Asia/Tokyo")
		second := target.simple(t, "options", "--statement-timeout=32s -cmy.setting=second", "DateStyle", "German")
		third := target.simple(t)
		for range 5 {
			first.expect("SELECT current_setting('statement_timeout'), current_setting('my.setting')", "31s|first")
			second.expect("SELECT current_setting('statement_timeout'), current_setting('my.setting')", "32s|second")
			third.expect("SELECT current_setting('statement_timeout'), "+
				"coalesce(current_setting('my.setting', true), '')", "0|")
			first.expect("SELECT timestamptz '2026-11-23 00:00:00+00'", "2026-11-23 09:00:00+09")
			second.expect("SELECT date '2026-11-23'", "23.11.2026")
			third.expect("SELECT timestamptz '2026-11-23 00:00:00+00'", "2026-11-23 00:00:00+00")
			third.run("BEGIN")
			first.expect("SHOW statement_timeout", "31s")
			second.expect("SHOW statement_timeout", "32s")
			third.run("COMMIT")
		}
	})
}
