package console

import (
	"database/sql"
	"database/sql/driver"
	"strconv"
	"testing"
	"unicode/utf8"
)

// exporterQueries are what prometheus-community/pgbouncer_exporter asks for, and the columns it needs: labels as text,
// the rest as numbers. Source: its collector.go, metricMaps.
var exporterQueries = map[string]struct{ labels, numbers []string }{
	"SHOW databases;": {
		[]string{"name", "host", "port", "database", "force_user", "pool_mode"},
		[]string{"pool_size", "max_connections", "current_connections", "paused", "disabled"},
	},
	"SHOW stats_totals;": {
		[]string{"database"},
		[]string{
			"query_count", "query_time", "bytes_received", "bytes_sent", "wait_time", "xact_count", "xact_time",
			"client_parse_count", "server_parse_count", "bind_count",
		},
	},
	"SHOW pools;": {
		[]string{"database", "user"},
		[]string{
			"cl_active", "cl_active_cancel_req", "cl_waiting", "cl_waiting_cancel_req", "sv_active", "sv_active_cancel",
			"sv_being_canceled", "sv_idle", "sv_used", "sv_tested", "sv_login", "maxwait",
		},
	},
	"SHOW LISTS;": {[]string{"list"}, []string{"items"}},
}

// checkAsTheExporterDoes reads the console through database/sql, as the exporter does.
func checkAsTheExporterDoes(t *testing.T, connector driver.Connector) {
	t.Helper()
	db := sql.OpenDB(connector)
	defer db.Close()
	db.SetMaxOpenConns(1)
	var version string
	if err := db.QueryRowContext(t.Context(), "SHOW VERSION;").Scan(&version); err != nil {
		t.Fatal(err)
	}
	if err := db.PingContext(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
	for query, want := range exporterQueries {
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		checkRows(t, query, rows, want.labels, want.numbers)
	}
}

func checkRows(t *testing.T, query string, rows *sql.Rows, labels, numbers []string) {
	t.Helper()
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	seen := false
	for rows.Next() {
		seen = true
		values, targets := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		row := map[string]any{}
		for i, name := range names {
			row[name] = values[i]
		}
		for _, label := range labels {
			switch v := row[label].(type) {
			case nil, int64:
			case string:
				if !utf8.ValidString(v) {
					t.Errorf("%s: %s is not UTF-8", query, label)
				}
			default:
				t.Errorf("%s: label %s is a %T, which the exporter does not take", query, label, v)
			}
		}
		for _, number := range numbers {
			if !isNumber(row[number]) {
				t.Errorf("%s: %s is %v (%T), not a number", query, number, row[number], row[number])
			}
		}
	}
	if err := rows.Err(); err != nil {
		t.Errorf("%s: %v", query, err)
	}
	if !seen {
		t.Errorf("%s: no row", query)
	}
}

func isNumber(v any) bool {
	switch v := v.(type) {
	case int64, float64:
		return true
	case []byte:
		_, err := strconv.ParseFloat(string(v), 64)
		return err == nil
	case string:
		_, err := strconv.ParseFloat(v, 64)
		return err == nil
	}
	return false
}
