package pool_test

import (
	"fmt"
	"time"

	"github.com/usher-pg/usher/pool"
)

// One thread drives a pool of two that may be busy and one in reserve. A real program does the same in its
// event loop, with connections for strings and the time that has passed since it started.
func Example() {
	p := pool.New[string](pool.Config{Max: 2, Reserve: 1}, nil, 0)

	// What the pool wants done, it says. Here opening takes no time.
	opened := 0
	open := func(n int, now time.Duration) {
		for range n {
			opened++
			_, grant, ok := p.Opened(fmt.Sprintf("connection %d", opened), now)
			if ok && p.Accept(grant) {
				fmt.Println(grant.Waiter.Owner, "gets the new", grant.Resource.Value)
			}
		}
	}
	var work pool.Work[string]
	tick := func(now time.Duration) {
		for p.Due() <= now {
			p.Tick(now, &work)
			for _, grant := range work.Grants {
				if p.Accept(grant) {
					fmt.Println(grant.Waiter.Owner, "gets", grant.Resource.Value, "from the reserve")
				}
			}
			open(work.Open, now)
		}
	}
	tick(0)

	names := []string{"Ada", "Ben", "Cem"}
	waiters := make([]pool.Waiter[string], len(names))
	for i, name := range names {
		waiters[i].Owner = name
		out := p.Acquire(&waiters[i], pool.Normal, 0, 0)
		if out.Resource != nil {
			fmt.Println(name, "gets", out.Resource.Value)
		}
		open(out.Open, 0)
	}
	doctor := pool.Waiter[string]{Owner: "the doctor"}
	p.Acquire(&doctor, pool.Critical, 0, 0)
	tick(4 * time.Millisecond)
	fmt.Println("4 ms later")
	tick(5 * time.Millisecond)

	st := p.Stat(5 * time.Millisecond)
	fmt.Println(st.Open, "open,", st.Busy, "busy,", st.TotalWaiting(), "waiting,",
		st.Emergencies[pool.Critical], "emergency")
	// Output:
	// Ada gets connection 1
	// Ben gets the new connection 3
	// 4 ms later
	// the doctor gets connection 2 from the reserve
	// 3 open, 3 busy, 1 waiting, 1 emergency
}
