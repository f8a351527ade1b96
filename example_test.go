package usher_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/usher-pg/usher"
	"github.com/usher-pg/usher/internal/pgtest"
)

func Example() {
	url, stop := pgtest.StartToy() // postgres://…
	defer stop()
	ctx := context.Background()

	manager, err := usher.Open(ctx, usher.Config{
		Pools: map[string]usher.PoolConfig{"app": {ConnString: url, Max: 20, Reserve: 2}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Close()

	conn, err := manager.Acquire(ctx, "app", usher.Normal)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Release()
	var text string
	if err := conn.QueryRow(ctx, "select 'a table for two'").Scan(&text); err != nil {
		log.Fatal(err)
	}
	fmt.Println(text)
	// Output: a table for two
}

// The only connection that ordinary requests may have is taken. A critical request takes one from the reserve
// before its 10 ms are over.
func ExamplePoolConfig_reserve() {
	url, stop := pgtest.StartToy()
	defer stop()
	ctx := context.Background()
	manager, err := usher.Open(ctx, usher.Config{
		Pools: map[string]usher.PoolConfig{"app": {ConnString: url, Max: 1, Reserve: 1}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Close()
	pool := manager.Pool("app")

	report, err := pool.Acquire(ctx, usher.Low)
	if err != nil {
		log.Fatal(err)
	}
	defer report.Release()

	payment, err := pool.Acquire(ctx, usher.Critical)
	if err != nil {
		log.Fatal(err)
	}
	defer payment.Release()
	fmt.Println("emergencies:", pool.Stat().Emergencies[usher.Critical])
	// Output:
	// emergencies: 1
}

// A request that is refused hears why, and how long it would have had to wait.
func ExampleAcquireError() {
	url, stop := pgtest.StartToy()
	defer stop()
	ctx := context.Background()
	manager, err := usher.Open(ctx, usher.Config{
		Pools: map[string]usher.PoolConfig{"app": {ConnString: url, Max: 1}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Close()
	pool := manager.Pool("app")
	conn, err := pool.Acquire(ctx, usher.Normal)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Release()

	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	_, err = pool.Acquire(short, usher.Normal)
	failure, ok := errors.AsType[*usher.AcquireError](err)
	fmt.Println(ok, failure.Lane, errors.Is(err, context.DeadlineExceeded))

	pool.Shed(usher.Low, usher.Normal)
	_, err = pool.Acquire(ctx, usher.Normal)
	fmt.Println(errors.Is(err, usher.ErrShed))
	// Output:
	// true normal true
	// true
}

// A program that uses database/sql needs nothing but another sql.DB.
func ExampleOpenDB() {
	url, stop := pgtest.StartToy()
	defer stop()
	ctx := context.Background()
	manager, err := usher.Open(ctx, usher.Config{
		Pools: map[string]usher.PoolConfig{"app": {ConnString: url}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Close()

	db := usher.OpenDB(manager.Pool("app"), usher.Normal)
	defer db.Close()
	var text string
	if err := db.QueryRowContext(ctx, "select 'in lane normal'").Scan(&text); err != nil {
		log.Fatal(err)
	}
	urgent := usher.ContextWithLane(ctx, usher.Critical)
	if err := db.QueryRowContext(urgent, "select 'in lane critical'").Scan(&text); err != nil {
		log.Fatal(err)
	}
	st := manager.Pool("app").Stat()
	fmt.Println(st.Granted[usher.Normal], st.Granted[usher.Critical], text)
	// Output: 1 1 in lane critical
}

// Pools of one database server share what it can bear, and each new connection is made ready before it is
// given out.
func ExampleConfig() {
	url, stop := pgtest.StartToy()
	defer stop()
	server, err := pgx.ParseConfig(url)
	if err != nil {
		log.Fatal(err)
	}
	manager, err := usher.Open(context.Background(), usher.Config{
		Pools: map[string]usher.PoolConfig{
			"shop":    {ConnString: url, Min: 2, Max: 20, WarmUp: []string{"set work_mem = '64MB'"}},
			"reports": {ConnString: url, Max: 5, QueueTimeout: time.Minute},
		},
		Budgets: map[string]int{fmt.Sprintf("%s:%d", server.Host, server.Port): 22},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Close()
	fmt.Println(manager.Names())
	// Output: [reports shop]
}
