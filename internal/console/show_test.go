package console

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/status"
)

// show runs one SHOW and returns its rows as text, NULL as "∅".
func show(t *testing.T, conn *pgconn.PgConn, query string) [][]string {
	t.Helper()
	results, err := conn.Exec(t.Context(), query).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if len(results) != 1 || results[0].CommandTag.String() != "SHOW" {
		t.Fatalf("%s: %d results, tag %q, want one of tag SHOW", query, len(results), results[0].CommandTag)
	}
	var rows [][]string
	for _, row := range results[0].Rows {
		var cells []string
		for _, cell := range row {
			if cell == nil {
				cells = append(cells, "∅")
			} else {
				cells = append(cells, string(cell))
			}
		}
		rows = append(rows, cells)
	}
	return rows
}

func TestShowRendersTheSnapshot(t *testing.T) {
	connected, requested := shownAt(t, "2026-11-21 18:30:05"), shownAt(t, "2026-11-21 18:31:05")
	checkShown(t, []struct{ query, want string }{
		{"SHOW POOLS", `shop,ann,3,7,5,6,7,8,9,10,11,12,13,1,500000,transaction,∅,` +
			`1,4,1,20,30,4,1,60,100,2,42,1,3,∅`},
		{"SELECT clients;", `C,ann,shop,none,active,10.0.0.7,5001,10.0.0.1,6432,` + connected + `,` + requested +
			`,0,0,0,0x1,0x2,0,TLSv1.3,till,3,1,critical,LISTEN,2,1
			C,bob,shop,none,waiting,unix,0,,0,` + connected + `,` + connected +
			`,3,250000,0,0x10000000000,,0,,,0,1099511627776,low,∅,0,0`},
		{"show servers", `S,ann,shop,none,active,10.0.0.9,5432,10.0.0.1,40000,` + connected + `,` + connected +
			`,0,0,1,0x2,0x1,4711,,,0,2,1,0`},
		{"show active_sockets", `C,ann,shop,none,cl_active,10.0.0.7,5001,10.0.0.1,6432,` + connected + `,` + requested +
			`,0,0,0,0x1,0x2,0,TLSv1.3,till,3,1,0,0,0,0,0,0,5,1`},
		{"show databases", `shop,10.0.0.9,5432,shop_v2,∅,20,2,4,3600,transaction,∅,60,7,0,9,1,0`},
		{"show users", `ann,,        5,∅,3,0,0,2`},
		{"show stats", `shop,1,2,3,4,5,6,7,8,9,10,11,1,2,3,4,5,6,7,8,9,10,11,12,12
			blog,1,2,3,4,5,6,7,8,9,10,11,0,6,0,0,0,2,0,0,0,0,0,12,0`},
		{"show stats_totals", `shop,1,2,3,4,5,6,7,8,9,10,11,12
			blog,1,2,3,4,5,6,7,8,9,10,11,12`},
		{"show stats_averages", `shop,1,2,3,4,5,6,7,8,9,10,11,12
			blog,0,6,0,0,0,2,0,0,0,0,0,0`},
		{"show config", `listen,127.0.0.1:6432,,no`},
		{"show state", `active,yes
			paused,no
			suspended,no
			shutting_down,no`},
		{"show mem", `client,256,3,1,1024`},
		{"show version", `PgBouncer 1.25.0 (usher 0.1.0)`},
		{"show lanes", `shop,ann,critical,1,110,99,2,3,0.100,1.000,2.000,3.000,4.000,` +
			`7,98,5.000,6.000,7.000,8.000,9.000`},
		{"show pins", `shop,ann,LISTEN,5`},
		{"show peers", ``},
		{"show dns_hosts", ``},
		{"show fds", `9,pooler,∅,∅,127.0.0.1,6432,0,0,∅,∅,∅,∅,∅,∅,∅
			11,client,ann,shop,10.0.0.7,5001,0,12,∅,∅,∅,∅,∅,∅,∅
			0,client,bob,shop,unix,0,0,0,∅,∅,∅,∅,∅,∅,∅
			0,client,∅,∅,,0,0,0,∅,∅,∅,∅,∅,∅,∅
			12,server,ann,shop,10.0.0.9,5432,0,11,∅,∅,∅,∅,∅,∅,∅`},
		{"show client_encoding", `UTF-8`},
		{"show TimeZone", `GMT`},
	})
}

// shownAt is a time of UTC as the console shows it.
func shownAt(t *testing.T, text string) string {
	t.Helper()
	when, err := time.Parse(time.DateTime, text)
	if err != nil {
		t.Fatal(err)
	}
	return when.Local().Format("2006-01-02 15:04:05 MST")
}

// checkShown compares what commands show of the sample.
func checkShown(t *testing.T, tests []struct{ query, want string }) {
	t.Helper()
	conn := start(t, Admin).connect(t)
	for _, test := range tests {
		var got []string
		for _, row := range show(t, conn, test.query) {
			got = append(got, strings.Join(row, ","))
		}
		want := strings.Split(strings.ReplaceAll(test.want, "\t", ""), "\n")
		if test.want == "" {
			want = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.query, diff)
		}
	}
}

func TestShowSocketsKnowsEveryStateAndOnlyConnections(t *testing.T) {
	conn := start(t, Stats).connect(t)
	var got []string
	for _, row := range show(t, conn, "show sockets") {
		got = append(got, row[0]+" "+row[4])
	}
	want := []string{"C cl_active", "C cl_waiting", "C cl_login", "S sv_active"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("types and states (-want +got):\n%s", diff)
	}
}

func TestShowTotalsAddsRatesAndWeighsMeans(t *testing.T) {
	conn := start(t, Stats).connect(t)
	got := map[string]string{}
	for _, row := range show(t, conn, "show totals") {
		got[row[0]] = row[1]
	}
	// shop has 2 transactions a second of 6 µs, blog 6 of 2 µs: 8 of 3 µs.
	want := map[string]string{
		"total_xact_count": "4", "total_client_bytes": "8", "total_ps_bind_count": "22", "total_client_login_count": "24",
		"avg_xact_count": "8", "avg_xact_time": "3", "avg_query_time": "7", "avg_wait_time": "8",
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s = %s, want %s", name, got[name], value)
		}
	}
	if len(got) != 24 {
		t.Errorf("%d rows, want 24", len(got))
	}
}

func TestShowListsHasPgBouncersLists(t *testing.T) {
	conn := start(t, Stats).connect(t)
	var got []string
	for _, row := range show(t, conn, "show lists") {
		got = append(got, row[0]+"="+row[1])
	}
	want := strings.Fields(`databases=1 users=2 peers=0 pools=3 peer_pools=0 free_clients=0 used_clients=4
		login_clients=5 free_servers=0 used_servers=6 dns_names=0 dns_zones=0 dns_queries=0 dns_pending=0`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lists (-want +got):\n%s", diff)
	}
}

func TestALargeResultArrivesWhole(t *testing.T) {
	c := start(t, Stats)
	many := make([]status.Client, 10_000)
	for i := range many {
		many[i] = c.ctl.snapshot.Clients[0]
		many[i].ID = uint64(i + 1)
	}
	c.ctl.snapshot.Clients = many
	if rows := show(t, c.connect(t), "show clients"); len(rows) != len(many) {
		t.Errorf("%d rows, want %d", len(rows), len(many))
	}
}

func TestNumbersAndTextsFitTheirTypes(t *testing.T) {
	c := start(t, Stats)
	c.ctl.snapshot.Clients[0].Statements = 1 << 40
	c.ctl.snapshot.Clients[0].Application = "a\x00b\xffc"
	row := show(t, c.connect(t), "show clients")[0]
	if row[19] != "2147483647" {
		t.Errorf("prepared_statements = %s, want the largest int4", row[19])
	}
	if row[18] != "a�b�c" {
		t.Errorf("application_name = %q, want valid UTF-8 without NUL", row[18])
	}
}
