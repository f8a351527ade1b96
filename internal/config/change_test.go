package config

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDiffNamesEveryOptionThatChanged(t *testing.T) {
	t.Parallel()
	before := parse(t, `
listen: ["127.0.0.1:6432"]
auth: {type: trust}
budgets: {"db:5432": 100}
pools:
  gone: {url: postgres://db/gone}
  same: {url: postgres://db/same}
  own: {url: "postgres://u:one@db/own", size: {max: 5}}
`)
	after := parse(t, `
listen: ["127.0.0.1:7432"]
auth: {type: trust}
log: {level: debug}
budgets: {"db:5432": 90}
pool_defaults: {size: {max: 30}}
pools:
  new: {url: postgres://db/new}
  same: {url: postgres://db/same}
  own: {url: "postgres://u:two@db/own", size: {max: 6}, mode: session}
`)
	want := []Change{
		{"listen", `["127.0.0.1:6432"]`, `["127.0.0.1:7432"]`, true},
		{"log.level", "info", "debug", true},
		{"pool_defaults.size.max", "20", "30", true},
		{`budgets."db:5432"`, "100", "90", true},
		{"pools.gone", "postgres://db:5432/gone", "", true},
		{"pools.new", "", "postgres://db:5432/new", true},
		{"pools.own.password", "***", "***", true},
		{"pools.own.mode", "transaction", "session", true},
		{"pools.own.size.max", "5", "6", true},
	}
	if diff := cmp.Diff(want, Diff(before, after)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if same := Diff(before, before.Clone()); same != nil {
		t.Errorf("a clone differs: %v", same)
	}
}

func TestSetChangesOneOptionOfACopy(t *testing.T) {
	t.Parallel()
	const file = `
auth: {type: trust}
pools:
  app: {url: postgres://db/app}
  own: {url: postgres://db/own, size: {max: 5}, timeouts: {query: 1s}}
  a.b: {url: postgres://db/ab}
`
	tests := []struct {
		key, value string
		want       []Change
	}{
		{"log.level", "debug", []Change{{"log.level", "info", "debug", true}}},
		{"pool_defaults.size.max", "30", []Change{{"pool_defaults.size.max", "20", "30", true}}},
		{"default_pool_size", "30", []Change{{"pool_defaults.size.max", "20", "30", true}}},
		{"query_timeout", "30", []Change{{"pool_defaults.timeouts.query", "0", "30s", true}}},
		{"query_timeout", "0.5", []Change{{"pool_defaults.timeouts.query", "0", "500ms", true}}},
		{"query_timeout", "5m", []Change{{"pool_defaults.timeouts.query", "0", "5m", true}}},
		{"max_client_conn", "7", []Change{{"limits.max_clients", "10000", "7", true}}},
		{"pools.app.size.min", "3", []Change{{"pools.app.size.min", "0", "3", true}}},
		{`pools."a.b".mode`, "session", []Change{{`pools."a.b".mode`, "transaction", "session", true}}},
	}
	for _, test := range tests {
		before := parse(t, file)
		after, err := before.Set(test.key, test.value)
		if err != nil {
			t.Errorf("SET %s = %s: %v", test.key, test.value, err)
			continue
		}
		if diff := cmp.Diff(test.want, Diff(before, after)); diff != "" {
			t.Errorf("SET %s = %s (-want +got):\n%s", test.key, test.value, diff)
		}
		if diff := cmp.Diff(parse(t, file), before, ignoreExplicit); diff != "" {
			t.Errorf("SET %s = %s changed its receiver:\n%s", test.key, test.value, diff)
		}
	}
}

func TestSetOfADefaultReachesThePoolsThatDidNotChoose(t *testing.T) {
	t.Parallel()
	c := parse(t, `
auth: {type: trust}
pools:
  app: {url: postgres://db/app}
  own: {url: "postgres://db/own?connect_timeout=4", timeouts: {query: 1s}}
`)
	for _, set := range [][2]string{{"query_timeout", "30"}, {"server_connect_timeout", "20"}} {
		var err error
		if c, err = c.Set(set[0], set[1]); err != nil {
			t.Fatal(err)
		}
	}
	app, own := c.Pools["app"].Timeouts, c.Pools["own"].Timeouts
	if app.Query != 30*time.Second || app.ServerConnect != 20*time.Second {
		t.Errorf("app: got %v and %v, want 30s and 20s", app.Query, app.ServerConnect)
	}
	if own.Query != time.Second || own.ServerConnect != 4*time.Second {
		t.Errorf("own: got %v and %v, want its own 1s and 4s", own.Query, own.ServerConnect)
	}
}

func TestSetRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	c := parse(t, "auth: {type: trust}\npools: {app: {url: postgres://db/app}}\n")
	tests := []struct {
		key, value string
		want       error // nil: any error about the value
	}{
		{"nonsense", "1", ErrNoSuchOption},
		{"pools.app.nonsense", "1", ErrNoSuchOption},
		{"pools.app", "1", ErrNoSuchOption},
		{"pools.nobody.mode", "session", ErrNoSuchPool},
		{"pools.app.password", "x", ErrOnlyInFile},
		{"pools.app.url", "postgres://elsewhere", ErrOnlyInFile},
		{"admin_users", "mallory", ErrOnlyInFile},
		{"loops", "2", ErrNeedsRestart},
		{"log.level", "loud", nil},
		{"default_pool_size", "0", nil},
		{"pools.app.size.min", "21", nil},
		{"pool_defaults.tls.sslmode", "verify-full", nil},
		{`pools."app`, "x", ErrNoSuchOption},
	}
	for _, test := range tests {
		_, err := c.Set(test.key, test.value)
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("SET %s = %s: got error %v, want %v", test.key, test.value, err, test.want)
		}
	}
}

func TestShowConfigListsOurOptionsAndPgBouncersNames(t *testing.T) {
	t.Parallel()
	c := parse(t, `
auth: {type: trust}
listen: ["127.0.0.1:6432", "unix:/tmp/s"]
budgets: {"db:5432": 50}
pools: {app: {url: "postgres://u:geheim@db/app", size: {max: 9}}}
`)
	want := []Row{
		{"listen", `["127.0.0.1:6432", "unix:/tmp/s"]`, `["127.0.0.1:6432"]`, true},
		{"limits.max_clients", "10000", "10000", true},
		{`budgets."db:5432"`, "50", "", true},
		{"pools.app.url", "postgres://db:5432/app", "", true},
		{"pools.app.user", "u", "", true},
		{"pools.app.password", "***", "", true},
		{"pools.app.size.max", "9", "20", true},
		{"max_client_conn", "10000", "10000", true},
		{"query_wait_timeout", "120", "120", true},
		{"reserve_pool_timeout", "0.01", "0.01", true},
	}
	rows := map[string]Row{}
	for _, r := range c.Rows() {
		if _, ok := rows[r.Key]; ok {
			t.Errorf("%s is shown twice", r.Key)
		}
		rows[r.Key] = r
	}
	for _, w := range want {
		if got := rows[w.Key]; got != w {
			t.Errorf("got %v, want %v", got, w)
		}
	}
	if _, ok := rows["pools.app.mode"]; ok {
		t.Error("pools.app.mode is shown, though the pool did not choose it")
	}
}

func TestAReloadKeepsWhatNeedsARestart(t *testing.T) {
	t.Parallel()
	const pools = "auth: {type: trust}\npools: {app: {url: postgres://db/app}}\n"
	inForce := parse(t, pools+"loops: 2\nhttp: \"127.0.0.1:1\"\nlog: {level: info, format: json}\n")
	loaded := parse(t, pools+"log: {level: debug}\n")
	got := Reloaded(inForce, loaded)
	want := []Change{{"log.level", "info", "debug", true}}
	if diff := cmp.Diff(want, Diff(inForce, got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got.Listen[0].Address = "changed"
	if inForce.Listen[0].Address == "changed" || loaded.Listen[0].Address == "changed" {
		t.Error("the result shares its addresses")
	}
}
