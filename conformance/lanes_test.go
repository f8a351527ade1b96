//go:build integration

package conformance

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// lanesConfig grants lanes by user and by application, and warms its server connections up.
const lanesConfig = `
auth: {type: trust}
admin_users: [postgres]
lanes:
  exceeding: %s
  rules:
    - {users: [postgres], application_names: ["pay*"], lane: critical}
    - {users: [postgres], application_names: ["report"], lane: low, highest: normal}
    - {users: [postgres], lane: normal, highest: high}
pools:
  lanes: {url: "{{url}}", size: {max: 3}, warm_up: ["SELECT 1", "PREPARE warmed AS SELECT 1"]}
`

// laneCounts are the requests that came in each lane of a pool, by SHOW LANES.
func laneCounts(t *testing.T, target *target) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for line := range strings.Lines(target.in("usher").simple(t).run("SHOW LANES")) {
		columns := strings.Split(line, "|") // database, user, lane, waiting, requests, …
		n, err := strconv.Atoi(columns[4])
		if err != nil {
			t.Fatal(err)
		}
		if columns[0] == target.database {
			counts[columns[2]] = n
		}
	}
	return counts
}

// inLane checks that what it does are requests of the lane. Some drivers describe a statement first.
func inLane(t *testing.T, target *target, lane, what string, do func()) {
	t.Helper()
	before := laneCounts(t, target)
	do()
	after := laneCounts(t, target)
	for name, n := range after {
		if (n > before[name]) != (name == lane) {
			t.Errorf("%s is to be a request of lane %s: before %v, after %v", what, lane, before, after)
			return
		}
	}
}

// TestLanesAreChosenByRuleBySetAndByComment with real drivers' ways to send a statement.
func TestLanesAreChosenByRuleBySetAndByComment(t *testing.T) {
	t.Parallel()
	target := startAlone(t, fmt.Sprintf(lanesConfig, "lower"), "lanes")
	for name, lane := range map[string]string{"payments": "critical", "report": "low", "web": "normal"} {
		client := target.simple(t, "application_name", name)
		inLane(t, target, lane, "a query of "+name, func() { client.expect("SELECT 'here'", "here") })
	}
	asking := target.simple(t, "options", "-c usher.lane=high")
	inLane(t, target, "high", "a query of a client that asked at login", func() { asking.expect("SELECT 1", "1") })
	asking = target.simple(t, "options", "-c usher.lane=critical")
	inLane(t, target, "high", "a query of a client that asked for too much", func() { asking.expect("SELECT 1", "1") })

	client := target.simple(t)
	client.run("SET usher.lane = 'low'")
	inLane(t, target, "low", "a query after SET", func() { client.expect("SELECT 1", "1") })
	inLane(t, target, "low", "SHOW", func() { client.expect("SHOW usher.lane", "low") })
	inLane(t, target, "low", "RESET", func() { client.run("RESET usher.lane") })
	inLane(t, target, "normal", "a query after RESET", func() { client.expect("SELECT 1", "1") })

	for _, mode := range pgxModes {
		config, err := pgx.ParseConfig(target.url())
		if err != nil {
			t.Fatal(err)
		}
		config.DefaultQueryExecMode = mode
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		for sql, lane := range map[string]string{
			"/* usher:lane=high */ SELECT $1::int":                "high",
			"SELECT $1::int /*action='report',lane='low'*/":       "low",
			"/* usher:lane=critical */ SELECT $1::int + 0":        "high",
			"SELECT $1::int /* usher:lane=high comes too late */": "normal",
		} {
			value := func() {
				var n int
				if err := conn.QueryRow(t.Context(), sql, 42).Scan(&n); err != nil || n != 42 {
					t.Errorf("%s by %v: %d, %v", sql, mode, n, err)
				}
			}
			inLane(t, target, lane, fmt.Sprintf("%s by %v", sql, mode), value)
		}
		_ = conn.Close(context.Background())
	}
	client.expect("SELECT count(*) FROM pg_prepared_statements WHERE name = 'warmed'", "1")
}

// TestALaneBeyondTheGrantIsRefused where the operator wants that, at login and later.
func TestALaneBeyondTheGrantIsRefused(t *testing.T) {
	t.Parallel()
	target := startAlone(t, fmt.Sprintf(lanesConfig, "refuse"), "lanes")
	client := target.simple(t)
	if state := client.refused("SET usher.lane = 'critical'"); state != "42501" {
		t.Errorf("SET: SQLSTATE %s", state)
	}
	if state := client.refused("/* usher:lane=critical */ SELECT 1"); state != "42501" {
		t.Errorf("a comment: SQLSTATE %s", state)
	}
	if state := client.refused("SET usher.lane = 'urgent'"); state != "22023" {
		t.Errorf("a lane that is none: SQLSTATE %s", state)
	}
	client.expect("SELECT 'still connected'", "still connected")
	_, err := pgx.Connect(t.Context(), target.url("options", "-c usher.lane=critical"))
	if state := sqlState(err); state != "42501" || !strings.Contains(err.Error(), "lane critical") {
		t.Errorf("a login: %v", err)
	}
}
