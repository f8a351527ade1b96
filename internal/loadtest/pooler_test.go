package loadtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/status"
	"github.com/usher-pg/usher/pool"
)

func TestUsherReadsTheConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	users, path := filepath.Join(dir, `us"ers.txt`), filepath.Join(dir, "usher.yaml")
	s := newSecret()
	if err := os.WriteFile(users, []byte(usersFile(clientUser, s.verifier)), 0o600); err != nil {
		t.Fatal(err)
	}
	text := usherConfig(usherSettings{
		Options: Defaults(), port: 6432, http: 8432, usersFile: users,
		databaseURL: `postgres://app:se%22cret@127.0.0.1:5432/app?sslmode=disable`,
	})
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	prepared, unprepared := c.Pools[preparedPool], c.Pools[unpreparedPool]
	if prepared.Size.Min != 40 || prepared.Size.Max != 40 || prepared.Size.Reserve != 8 ||
		unprepared.Size.Min != unpreparedMin || unprepared.Size.Max != 40 {
		t.Errorf("sizes %+v and %+v", prepared.Size, unprepared.Size)
	}
	if c.Limits.MaxClients < 10_000 || prepared.Timeouts.QueryWait != queryWait ||
		prepared.Lanes.MaxWaiting != maxWaiting {
		t.Errorf("limits %+v, timeouts %+v, lanes %+v", c.Limits, prepared.Timeouts, prepared.Lanes)
	}
}

func TestPgBouncersConfigurationSaysTheSame(t *testing.T) {
	t.Parallel()
	database, err := pgconn.ParseConfig("postgres://app:it's@127.0.0.1:5433/shop?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	text := pgbouncerConfig(pgbouncerSettings{
		Options: Defaults(), port: 6433, database: database, sslMode: "disable", usersFile: "/x/users.txt",
	})
	for _, want := range []string{
		"\nprepared = host='127.0.0.1' port=5433 dbname='shop' user='app' password='it''s' min_pool_size=40\n",
		"\nunprepared = host='127.0.0.1' port=5433 dbname='shop' user='app' password='it''s' min_pool_size=2\n",
		"\ndefault_pool_size = 40\nreserve_pool_size = 8\n", "\nquery_wait_timeout = 5\n", "\nmax_client_conn = 10100\n",
		"\nlisten_port = 6433\n", "\nauth_file = /x/users.txt\n", "\npool_mode = transaction\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q:\n%s", want, text)
		}
	}
	database.Password = ""
	text = pgbouncerConfig(pgbouncerSettings{Options: Defaults(), database: database})
	if strings.Contains(text, "password=") {
		t.Errorf("an empty password, which PgBouncer refuses:\n%s", text)
	}
}

func bucketsOf(durations ...time.Duration) status.Buckets {
	var h pool.Histogram
	for _, d := range durations {
		h.Record(d)
	}
	return status.BucketsOf(&h)
}

func TestAPoolIsReadFromUshersStatus(t *testing.T) {
	t.Parallel()
	at := time.Unix(1, 0)
	shot := &status.Snapshot{
		Now: at,
		Pools: []status.Pool{
			{Name: "other", Servers: status.ServerCounts{Active: 99}},
			{
				Name: "prepared", ReserveUsed: 3,
				Servers: status.ServerCounts{Active: 5, Tested: 1, BeingCanceled: 1, Idle: 7, Login: 2},
				Lanes: []status.Lane{
					{Name: "critical", Waiting: 1, Emergencies: 4}, {Name: "normal", Waiting: 9}, {Name: "of another time"},
				},
			},
		},
		Acquisitions: []status.Acquisition{
			{Pool: "prepared", Lane: "normal", Buckets: bucketsOf(time.Millisecond)},
			{Pool: "other", Lane: "normal", Buckets: bucketsOf(time.Second)},
		},
	}
	got := readingOf(shot, "prepared")
	want := reading{at: at, open: 14, busy: 7, idle: 7, opening: 2, reserveUsed: 3}
	want.waiting[laneCritical], want.waiting[laneNormal] = 1, 9
	want.emergencies[laneCritical] = 4
	want.acquisition[laneNormal] = bucketsOf(time.Millisecond)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(reading{})); diff != "" {
		t.Error(diff)
	}
}

func TestAPoolIsReadFromPgBouncersConsole(t *testing.T) {
	t.Parallel()
	at := time.Unix(1, 0)
	pools := []map[string]string{
		{"database": "prepared", "cl_waiting": "12", "sv_active": "3", "sv_idle": "4", "sv_used": "1", "sv_login": "1"},
		{"database": "pgbouncer", "cl_waiting": "99", "sv_active": "99"},
	}
	stats := []map[string]string{
		{"database": "prepared", "total_wait_time": "2500000", "total_xact_count": "100"},
		{"database": "other", "total_wait_time": "1", "total_xact_count": "1"},
	}
	want := reading{at: at, open: 8, busy: 3, idle: 5, opening: 1, waited: 2500 * time.Millisecond, requests: 100}
	want.waiting[laneNormal] = 12
	got := readingOfRows(at, pools, stats, "prepared")
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(reading{})); diff != "" {
		t.Error(diff)
	}
}

func TestProcFilesAreRead(t *testing.T) {
	t.Parallel()
	got, err := parseStat("42 (a) b (c) S 7 1 1 0 -1 4194304 1 1 0 0 150 50 20 10 20 0 5 0 100")
	want := processStat{parent: 7, cpu: 2 * time.Second, ended: 300 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	busy, err := parseMachine("cpu  100 1 50 1000 500 2 3 4 9 9\ncpu0 1 1 1\n")
	if err != nil || busy != 160*cpuTick {
		t.Errorf("%v, %v, want %v", busy, err, 160*cpuTick)
	}
	for _, bad := range []string{"", "42 (x) S 1", "42 (x) S 7 1 1 0 -1 4194304 1 1 0 0 x 50 20 10 20"} {
		if s, err := parseStat(bad); err == nil {
			t.Errorf("%q is %+v", bad, s)
		}
	}
	for _, bad := range []string{"", "cpu 1 2", "cpu a b c d e f g h i", "intr 1 2 3 4 5 6 7 8 9"} {
		if d, err := parseMachine(bad); err == nil {
			t.Errorf("%q is %v", bad, d)
		}
	}
}

func TestUsageIsADifferenceInCores(t *testing.T) {
	t.Parallel()
	before := usage{"usher": time.Second, wholeMachine: 10 * time.Second}
	after := usage{"usher": 2 * time.Second, wholeMachine: 16 * time.Second, "clients": time.Second}
	var got []string
	for _, u := range usageReport(before, after, 4*time.Second) {
		got = append(got, u.Name)
		if want := map[string]float64{"usher": 0.25, wholeMachine: 1.5, "clients": 0.25}[u.Name]; u.Cores != want {
			t.Errorf("%s used %v cores, want %v", u.Name, u.Cores, want)
		}
	}
	if diff := cmp.Diff([]string{wholeMachine, "clients", "usher"}, got); diff != "" {
		t.Error(diff)
	}
}
