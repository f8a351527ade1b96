package routing

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/relay"
	engine "github.com/usher-pg/usher/pool"
)

func TestRulesOfAPool(t *testing.T) {
	t.Parallel()
	c := parse(t, `
pools:
  app:
    url: postgres://owner@db/app
    mode: session
    prepared_statements: 7
    reset_query: "RESET ALL"
    size: {min: 2, max: 9, reserve: 3, opening: 5}
    lanes: {acquire_slo: 20ms, max_waiting: 50, ageing: 2s}
    timeouts: {query: 1s, query_wait: 2s, transaction: 3s, idle_in_transaction: 4s, client_idle: 5s,
               server_idle: 6s, server_lifetime: 7s, server_lifetime_jitter: 10%, server_connect: 8s,
               server_login_retry: 9s, server_grace: 10s}
`)
	got := rulesOf(c.Pools["app"], nil)
	got.Engine.Seed = 0
	want := relay.Rules{
		Mode: relay.ModeSession,
		Engine: engine.Config{
			RefuseHopeless: true, Warm: 0.2, OpenRate: 500,
			Min: 2, Max: 9, Reserve: 3, OpenParallel: 5,
			SLO:          [engine.Lanes]time.Duration{engine.Critical: 20 * time.Millisecond},
			QueueTimeout: 2 * time.Second, QueueLimit: [engine.Lanes]int{50, 50, 50, 50}, Ageing: 2 * time.Second,
			IdleTimeout: 6 * time.Second, Lifetime: 7 * time.Second, LifetimeJitter: 0.1,
			RetryMin: engine.DefaultRetryMin, RetryMax: 9 * time.Second, Grace: 10 * time.Second,
		},
		Timeouts: relay.Timeouts{
			Query: time.Second, Transaction: 3 * time.Second, IdleInTransaction: 4 * time.Second,
			ClientIdle: 5 * time.Second, Cancel: 10 * time.Second, Reset: resetTimeout,
		},
		ConnectTimeout: 8 * time.Second, Statements: 7, ResetQuery: "RESET ALL",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRulesWithoutLimits(t *testing.T) {
	t.Parallel()
	c := parse(t, `
pools:
  app:
    url: postgres://owner@db/app
    timeouts: {query_wait: 0, server_idle: 0, server_lifetime: 0, server_lifetime_jitter: 0%,
               server_connect: 0, server_login_retry: 100ms}
`)
	got := rulesOf(c.Pools["app"], nil)
	if err := got.Engine.Validate(); err != nil {
		t.Fatal(err)
	}
	if got.Engine.LifetimeJitter >= 0 || got.Engine.QueueTimeout != 0 || got.Engine.IdleTimeout != 0 {
		t.Errorf("engine %+v", got.Engine)
	}
	if got.ConnectTimeout < time.Hour {
		t.Errorf("connect timeout %v for none", got.ConnectTimeout)
	}
	if got.Engine.RetryMin > got.Engine.RetryMax {
		t.Errorf("retries between %v and %v", got.Engine.RetryMin, got.Engine.RetryMax)
	}
}

// TestEveryWordOfTheConfigurationIsKnown: the maps from the configuration's words to others' have all of
// them.
func TestEveryWordOfTheConfigurationIsKnown(t *testing.T) {
	t.Parallel()
	for _, m := range []config.Mode{config.ModeTransaction, config.ModeSession, config.ModeStatement} {
		if mode, ok := modes[m]; !ok || mode.String() != string(m) {
			t.Errorf("mode %s is %v", m, mode)
		}
	}
	for _, m := range []config.SSLMode{
		config.SSLDisable, config.SSLAllow, config.SSLPrefer, config.SSLRequire, config.SSLVerifyCA,
		config.SSLVerifyFull,
	} {
		if mode, ok := sslModes[m]; !ok || mode.String() != string(m) {
			t.Errorf("sslmode %s is %v", m, mode)
		}
	}
	for _, a := range []config.AuthType{
		config.AuthTrust, config.AuthPassword, config.AuthMD5, config.AuthSCRAM, config.AuthCert,
	} {
		if method, ok := methods[a]; !ok || method.String() != string(a) {
			t.Errorf("method %s is %v", a, method)
		}
	}
}
