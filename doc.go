// Package usher is usher for Go programs: connections to PostgreSQL that are shared among many goroutines, with
// lanes, a reserve for what must not wait, and as many open as are needed. It has the engine of the proxy
// (package [github.com/usher-pg/usher/pool]) and gives out connections of [github.com/jackc/pgx/v5]. They lead
// to a PostgreSQL, or to a pooler in front of one.
//
//	manager, err := usher.Open(ctx, usher.Config{Pools: map[string]usher.PoolConfig{
//		"app": {ConnString: "postgres://app@db.example/app", Max: 20, Reserve: 2},
//	}})
//	…
//	defer manager.Close()
//	conn, err := manager.Acquire(ctx, "app", usher.Normal)
//	…
//	defer conn.Release()
//	err = conn.QueryRow(ctx, "select …").Scan(&…)
//
// # What it promises
//
//   - A released server connection goes to who waits: the highest lane first, and in a lane who came first.
//     Nobody slips in between. See package pool for ageing, the reserve and the rest.
//   - A request whose context ends takes nothing with it: what it had been given at that moment goes on to the
//     next.
//   - Server connections are opened and closed in the background. Opening outlives the request that caused it.
//   - A server connection that the server has closed is not given out, if the system tells (it does on Unix, in
//     one system call, when it has rested for a millisecond); one that has rested for PoolConfig.PingAfter
//     answers a ping first. Idle ones are looked at every PoolConfig.CheckPeriod and replaced.
//   - One that comes back in a transaction, busy or closed is closed and replaced.
//   - Acquiring and releasing takes no memory but 16 bytes for the handle, which are allocated 64 at a time.
//   - Open starts one goroutine, which Close ends. Others run while a server connection is opened, closed,
//     pinged or looked at by a hook, and Close waits for them.
//
// # Ways to use it
//
//   - [Manager.Acquire] and [Pool.Acquire], as above;
//   - [OpenDB] for programs that use database/sql;
//   - package [github.com/usher-pg/usher/pgxpool] for programs that use pgx's pgxpool: change the import path.
//
// In the last two, [ContextWithLane] says which lane a request belongs to.
package usher
