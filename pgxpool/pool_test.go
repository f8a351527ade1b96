package pgxpool_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	upstream "github.com/jackc/pgx/v5/pgxpool"

	"github.com/usher-pg/usher"
	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/pgxpool"
)

type ctx = context.Context

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestConnectionStringsAreReadAsPgxpoolReadsThem(t *testing.T) {
	t.Parallel()
	const url = "postgres://app:secret@db:5433/app?pool_max_conns=7&pool_min_conns=2&pool_min_idle_conns=1" +
		"&pool_max_conn_lifetime=2h&pool_max_conn_lifetime_jitter=3m&pool_max_conn_idle_time=4m" +
		"&pool_health_check_period=5s&pool_ping_timeout=6s&application_name=me"
	theirs, err := upstream.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	numbers := func(c any) string { return fmt.Sprint(c) }
	if got, want := numbers([]any{
		ours.MaxConns, ours.MinConns, ours.MinIdleConns, ours.MaxConnLifetime, ours.MaxConnLifetimeJitter,
		ours.MaxConnIdleTime, ours.HealthCheckPeriod, ours.PingTimeout, ours.ConnConfig.RuntimeParams, ours.ConnString(),
	}), numbers([]any{
		theirs.MaxConns, theirs.MinConns, theirs.MinIdleConns, theirs.MaxConnLifetime, theirs.MaxConnLifetimeJitter,
		theirs.MaxConnIdleTime, theirs.HealthCheckPeriod, theirs.PingTimeout, theirs.ConnConfig.RuntimeParams,
		theirs.ConnString(),
	}); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if ours.Lane != usher.Normal {
		t.Errorf("lane is %v", ours.Lane)
	}
	for _, bad := range []string{"postgres://db/?pool_max_conns=0", "postgres://db/?pool_min_conns=x", "host="} {
		_, wrong := upstream.ParseConfig(bad)
		if _, err := pgxpool.ParseConfig(bad); fmt.Sprint(err) != fmt.Sprint(wrong) {
			t.Errorf("%s: %v, want %v", bad, err, wrong)
		}
	}
	copied := ours.Copy()
	copied.ConnConfig.Host, copied.MaxConns = "other", 1
	if ours.ConnConfig.Host != "db" || ours.MaxConns != 7 {
		t.Error("a copy is not one")
	}
}

func TestConfigsBecomeUshers(t *testing.T) {
	t.Parallel()
	config, err := pgxpool.ParseConfig("postgres://db/?pool_max_conn_lifetime=50m&pool_max_conn_lifetime_jitter=10m" +
		"&pool_min_conns=9&pool_max_conns=4")
	if err != nil {
		t.Fatal(err)
	}
	var got usher.PoolConfig
	config.BeforeAcquire = func(context.Context, *pgx.Conn) bool { return true }
	config.Tune = func(c *usher.PoolConfig) {
		c.Reserve = 2
		got = *c
		c.ConnConfig.DialFunc = nil
	}
	p, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got.Min != 4 || got.Max != 4 || got.Lifetime != time.Hour || got.LifetimeJitter != 1.0/6 || got.PrepareConn == nil {
		t.Errorf("min %d, max %d, lifetime %v, jitter %v", got.Min, got.Max, got.Lifetime, got.LifetimeJitter)
	}
	if st := p.Usher().Stat(); st.Reserve != 2 {
		t.Errorf("reserve is %d", st.Reserve)
	}
	_, err = pgxpool.NewWithConfig(t.Context(), &pgxpool.Config{ConnConfig: config.ConnConfig})
	if err == nil || !strings.Contains(err.Error(), "ParseConfig") {
		t.Errorf("a config not made by ParseConfig: %v", err)
	}
}

func TestAFailureToConnectIsHeardAtOnce(t *testing.T) {
	t.Parallel()
	fake := pgtest.StartFake(t, func(int) []pgtest.Step {
		return []pgtest.Step{pgtest.Fail("FATAL", "28P01", "password authentication failed"), pgtest.Close()}
	})
	p, err := pgxpool.New(t.Context(), "postgres://app@"+fake.Addr+"/app?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	begin := time.Now()
	err = p.Ping(t.Context())
	if !errors.Is(err, usher.ErrDown) || !strings.Contains(err.Error(), "28P01") {
		t.Errorf("error is %v", err)
	}
	if waited := time.Since(begin); waited > 2*time.Second {
		t.Errorf("waited %v", waited)
	}
	if _, err := p.Query(t.Context(), "select 1"); err == nil {
		t.Error("a query without a server")
	}
}

func TestAPoolOfAManagerIsNotClosedWithItsView(t *testing.T) {
	t.Parallel()
	url, stop := pgtest.StartToy()
	defer stop()
	manager, err := usher.Open(t.Context(), usher.Config{Pools: map[string]usher.PoolConfig{"app": {ConnString: url}}})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	p := pgxpool.Of(manager.Pool("app"), usher.Low)
	if err := p.Ping(usher.ContextWithLane(t.Context(), usher.High)); err != nil {
		t.Error(err)
	}
	p.Close()
	if err := p.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if got := p.Stat().Usher().Granted; got[usher.Low] != 1 || got[usher.High] != 1 {
		t.Errorf("granted by lane: %v", got)
	}
	if p.Config().ConnConfig.User != "app" {
		t.Errorf("user is %s", p.Config().ConnConfig.User)
	}
}

func Example() {
	url, stop := pgtest.StartToy() // postgres://…
	defer stop()
	ctx := context.Background()

	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	var text string
	if err := pool.QueryRow(ctx, "select 'as before'").Scan(&text); err != nil {
		log.Fatal(err)
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "update 'something'")
		return err
	})
	fmt.Println(text, err)
	// Output: as before <nil>
}

// What pgxpool has no word for is set by Tune; a context says what is urgent.
func ExampleConfig() {
	url, stop := pgtest.StartToy()
	defer stop()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns = 1
	config.Tune = func(c *usher.PoolConfig) { c.Reserve = 1 }
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	conn, err := pool.Acquire(context.Background()) // the only one, but for the reserve
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Release()
	urgent := usher.ContextWithLane(context.Background(), usher.Critical)
	fmt.Println(pool.Ping(urgent), pool.Stat().Usher().Emergencies[usher.Critical])
	// Output: <nil> 1
}
