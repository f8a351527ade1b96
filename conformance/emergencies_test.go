//go:build integration

package conformance

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/pgtest"
)

const httpToken = "a token nobody guesses"

const reserveConfig = `
auth: {type: trust}
admin_users: [postgres]
http_admin_token: "` + httpToken + `"
pools:
  two:    {url: "{{url}}", size: {max: 2}}
  narrow: {url: "{{url}}", size: {max: 1, reserve: 1}}
`

// inLane is a client of a lane.
func (t *target) inLane(tb testing.TB, lane string) *session {
	tb.Helper()
	return t.simple(tb, "options", "-c usher.lane="+lane)
}

// background runs a query on another goroutine; what it returns waits for the error.
func background(s *session, sql string) func() error {
	answered := make(chan error, 1)
	go func() {
		_, err := s.try(sql)
		answered <- err
	}()
	return func() error { return <-answered }
}

// TestAnOperatorOpensTheReserve: a request that is not critical takes from the reserve while the operator's emergency
// lasts, which ends by itself, and no longer.
func TestAnOperatorOpensTheReserve(t *testing.T) {
	t.Parallel()
	o := newOperated(t, reserveConfig)
	narrow := o.target.in("narrow")
	holder, other := narrow.simple(t), narrow.simple(t)
	holder.run("BEGIN")
	waits := func() bool { return o.column(t, "narrow", "cl_waiting") == "1" }

	answer := background(other, "SELECT 1")
	eventually(t, patience, "a normal request leaves the reserve alone", waits)
	o.operator.run("EMERGENCY ON narrow FOR 2s REASON 'the cake is late'")
	if err := answer(); err != nil {
		t.Errorf("the request that was to take from the reserve: %v", err)
	}
	shown := o.console.run("SHOW EMERGENCIES")
	if !regexp.MustCompile(`^narrow\|\|operator\|reserve\|normal\|0\|1\|.*\|console postgres 127\.0\.0\.1:\d+\|` +
		`the cake is late\|\|\|$`).MatchString(shown) {
		t.Errorf("SHOW EMERGENCIES: %s", shown)
	}
	eventually(t, patience, "it ends by itself", func() bool {
		return strings.HasSuffix(o.console.run("SHOW EMERGENCIES"), "|usher|its time is over")
	})
	answer = background(other, "SELECT 1")
	eventually(t, patience, "the reserve is closed again", waits)
	holder.run("COMMIT")
	if err := answer(); err != nil {
		t.Errorf("the request that was to wait: %v", err)
	}
	for order, state := range map[string]string{
		"EMERGENCY ON two": "55000", "EMERGENCY ON nowhere": "3D000", "EMERGENCY OFF narrow": "55000",
		"EMERGENCY ON narrow FOR 2 weeks": "42601", "EMERGENCY ON narrow FOR 2d": "22023",
	} {
		if got := o.operator.refused(order); got != state {
			t.Errorf("%s: SQLSTATE %s, expected %s", order, got, state)
		}
	}
	for _, line := range []string{"emergency begins", "emergency ends"} {
		if log := o.usher.Log(); !strings.Contains(log, line) {
			t.Errorf("the log lacks %q", line)
		}
	}
}

// post sends an order over HTTP.
func post(t *testing.T, u *pgtest.Usher, token, body string) (code int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		"http://"+u.HTTP+"/api/v1/emergency", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// TestEmergenciesAreOrderedOverHTTP by who has the token, and by nobody when there is none.
func TestEmergenciesAreOrderedOverHTTP(t *testing.T) {
	t.Parallel()
	o := newOperated(t, reserveConfig)
	const on = `{"action": "on", "pool": "narrow", "for": "1h", "lane": "low", "reason": "by \"hand\""}`
	for _, test := range []struct {
		token, body string
		code        int
		shown       string // of SHOW EMERGENCIES
	}{
		{"", on, 401, `^$`},
		{"another token of the kind", on, 401, `^$`},
		{httpToken, `{"action": "on", "pool": "two"}`, 409, `^$`},
		{httpToken, `{"action": "on", "pool": "nowhere"}`, 404, `^$`},
		{httpToken, on, 200, `^narrow\|\|operator\|reserve\|low\|0\|1\|.*\|http 127\.0\.0\.1:\d+\|by "hand"\|\|\|$`},
		{httpToken, `{"action": "off"}`, 200, `\|low\|0\|0\|.*\|http 127\.0\.0\.1:\d+\|ordered$`},
		{httpToken, `{"action": "off"}`, 409, `\|ordered$`},
	} {
		code, answer := post(t, o.usher, test.token, test.body)
		if code != test.code {
			t.Errorf("%s: %d %s, expected %d", test.body, code, answer, test.code)
		}
		if shown := o.console.run("SHOW EMERGENCIES"); !regexp.MustCompile(test.shown).MatchString(shown) {
			t.Errorf("after %s: %q, expected %s", test.body, shown, test.shown)
		}
	}
	_, body := o.usher.Get(t.Context(), "/api/v1/status?sections=emergencies")
	if !strings.Contains(body, `"measure":"reserve","lane":"low"`) {
		t.Errorf("the status says %s", body)
	}
	if strings.Contains(o.usher.Log()+o.console.run("SHOW CONFIG"), httpToken) {
		t.Error("the token is shown")
	}
}

// steadily repeats a query on some clients of a lane until stop is called, which says how many failed.
func (t *target) steadily(tb testing.TB, lane string, clients int, sql *atomic.Pointer[string]) (stop func() int64) {
	ctx, cancel := context.WithCancel(context.Background())
	var failed atomic.Int64
	var running sync.WaitGroup
	for range clients {
		s := t.inLane(tb, lane)
		running.Go(func() {
			for ctx.Err() == nil {
				if _, err := s.try(*sql.Load()); err != nil {
					failed.Add(1)
					tb.Logf("lane %s: %v", lane, err)
					return
				}
			}
		})
	}
	return func() int64 {
		cancel()
		running.Wait()
		return failed.Load()
	}
}

// TestMeasuresBeginAndEndByThemselves: while critical statements are slow, low is refused, then normal, and the target
// is raised; when they are fast again all of it ends.
func TestMeasuresBeginAndEndByThemselves(t *testing.T) {
	t.Parallel()
	o := newOperated(t, `
auth: {type: trust}
admin_users: [postgres]
pools:
  two: {url: "{{url}}", size: {max: 9}, emergency: {window: 1s, hold: 1s}}
  off: {url: "{{url}}", size: {max: 9}, emergency: {window: 1s, statement_target: 0}}
`)
	slow, fast := "SELECT pg_sleep(0.08)", "SELECT 1"
	var sql atomic.Pointer[string]
	sql.Store(&fast)
	low, normal := o.target.inLane(t, "low"), o.target.simple(t)
	spared := o.target.in("off").inLane(t, "low")
	stop := o.target.steadily(t, "critical", 3, &sql)
	stopOther := o.target.in("off").steadily(t, "critical", 3, &sql)
	low.run("SELECT 1")
	before := o.column(t, "two", "sv_target")

	sql.Store(&slow)
	for _, s := range []*session{low, normal} {
		eventually(t, patience, "requests are refused", func() bool {
			_, err := s.try("SELECT 1")
			refusal, ok := errors.AsType[*pgconn.PgError](err)
			if ok && (refusal.Code != "53300" || refusal.Severity != "ERROR" ||
				!strings.Contains(refusal.Hint, "critical statements take longer than 50ms")) {
				t.Errorf("refused with %+v", refusal)
			}
			return ok
		})
	}
	eventually(t, patience, "the target is raised", func() bool { return o.column(t, "two", "sv_target") == "9" })
	spared.run("SELECT 1")
	if shed := o.usher.Metric(t.Context(),
		`usher_pool_lane_shed{database="two",lane="low",user="postgres"}`); shed != 1 {
		t.Errorf("usher_pool_lane_shed is %v", shed)
	}

	sql.Store(&fast)
	for _, s := range []*session{low, normal} {
		eventually(t, patience, "requests are let in again", func() bool {
			_, err := s.try("SELECT 1")
			return err == nil
		})
	}
	eventually(t, patience, "everything has ended", func() bool {
		_, body := o.usher.Get(t.Context(), "/metrics")
		return strings.Contains(body, `usher_emergencies{kind="automatic"} 0`)
	})
	if after := o.column(t, "two", "sv_target"); after != before {
		t.Errorf("the target is %s, and was %s", after, before)
	}
	if n := stop() + stopOther(); n > 0 {
		t.Errorf("%d critical statements failed", n)
	}
	shown := o.console.run("SHOW EMERGENCIES")
	for _, want := range []string{
		`(?m)^two\|postgres\|automatic\|shed\|low\|0\|0\|.*\|usher\|[\d.]+% of \d+ critical statements took longer than 50ms`,
		`(?m)^two\|postgres\|automatic\|shed\|normal\|0\|0\|`, `(?m)^two\|postgres\|automatic\|target\|\|9\|0\|`,
	} {
		if !regexp.MustCompile(want).MatchString(shown) {
			t.Errorf("SHOW EMERGENCIES lacks %s:\n%s", want, shown)
		}
	}
	if strings.Contains(shown, "off|") {
		t.Errorf("measures in the pool that has none:\n%s", shown)
	}
}

// TestTheOneIdleInATransactionEndsForACriticalRequest: the one that has been so longest, of a lower lane, and nobody
// else; and nobody where the option is off.
func TestTheOneIdleInATransactionEndsForACriticalRequest(t *testing.T) {
	t.Parallel()
	target := startAlone(t, `
auth: {type: trust}
admin_users: [postgres]
pools:
  app:     {url: "{{url}}", size: {max: 3, reserve: 1}, emergency: {end_idle_in_transaction: 200ms}}
  patient: {url: "{{url}}", size: {max: 1}, timeouts: {query_wait: 1s}}
`, "app")
	setUp := target.simple(t)
	table := unique("idle")
	setUp.run("CREATE TABLE " + table + " (n int)")

	busy, oldest, younger := target.inLane(t, "low"), target.inLane(t, "normal"), target.inLane(t, "low")
	ofReserve, critical := target.inLane(t, "critical"), target.inLane(t, "critical")
	oldest.run("BEGIN; INSERT INTO " + table + " VALUES (1)")
	younger.run("BEGIN; INSERT INTO " + table + " VALUES (2)")
	busy.run("BEGIN")
	sleeps := background(busy, "SELECT pg_sleep(2)")
	ofReserve.run("BEGIN; SELECT 1")
	begin := time.Now()
	critical.expect("SELECT 'in time'", "in time")
	if took := time.Since(begin); took > calm {
		t.Errorf("the critical request waited %v", took)
	}
	_, err := oldest.try("COMMIT")
	if state := sqlState(err); state != "25P03" {
		t.Errorf("the one that was idle longest: %v", err)
	}
	ofReserve.run("COMMIT")
	younger.run("COMMIT")
	if err := sleeps(); err != nil {
		t.Errorf("the one whose statement ran: %v", err)
	}
	busy.run("COMMIT")
	setUp.expect("SELECT n FROM "+table, "2")
	ended := target.usher.Metric(t.Context(),
		`usher_pool_idle_transactions_ended_total{database="app",user="postgres"}`)
	if ended != 1 {
		t.Errorf("%v clients are counted as ended", ended)
	}
	if !strings.Contains(target.usher.Log(), "idle for") {
		t.Error("the log does not say how long it was idle")
	}

	patient := target.in("patient")
	holder, waiting := patient.inLane(t, "low"), patient.inLane(t, "critical")
	holder.run("BEGIN")
	if state := waiting.refused("SELECT 1"); state != "53300" {
		t.Errorf("a critical request where the option is off: SQLSTATE %s", state)
	}
	holder.expect("SELECT 'still here'", "still here")
}
