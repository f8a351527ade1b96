package pool_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/scenario"
	"github.com/usher-pg/usher/pool"
)

// TestScenarios plays testdata/*.txt: commands, a line ----, and exactly what happens. Comments begin with #.
// A command for another pool than p is prefixed with its name and a colon. After each command, pools are
// ticked as an event loop would: as long as one is due. What a tick does is printed, with the time if it has
// passed since.
//
//	budget 10                      the pools made from here on share so many
//	pool max=2 reserve=1           makes a pool; options are Config's, lower case; lists as 0,0,1s
//	acquire a critical             a requests; it is printed who has which resource (#1) or why not
//	release a · discard a          what a has
//	cancel a · accept a            with "manual", grants and refusals must be accepted by name
//	opened 2 · failed 1            opens that were started end so; default 1
//	pass 10ms                      time goes by, with ticks when they are due
//	target 5 · limit 3 · config max=5 · hold · hold-closing · unhold · reserve high 1m · shed low
//	reconnect · lost #2 · budget-max 4 · close · stat · due
func TestScenarios(t *testing.T) {
	scenario.Run(t, func(t *testing.T, text string) string {
		return scenario.Play(&stage{t: t, pools: map[string]*actor{}}, text)
	})
}

// stage is the world of a scenario.
type stage struct {
	scenario.Happenings
	t      *testing.T
	now    time.Duration
	budget *pool.Budget
	pools  map[string]*actor
	last   int // number of the last resource
}

type (
	resource = pool.Resource[string]
	waiter   = pool.Waiter[string]
	grant    = pool.Grant[string]
)

// actor is a pool and all who use it.
type actor struct {
	*pool.Pool[string]
	name    string
	config  pool.Config
	manual  bool
	opening int
	waiters map[string]*waiter
	holds   map[string]*resource
	grants  map[string]grant
	refused map[string]pool.Refusal[string]
	known   map[string]*resource
	work    pool.Work[string]
}

// Do carries out a command.
func (s *stage) Do(line string) {
	name := "p"
	if i := strings.Index(line, ": "); i >= 0 {
		name, line = line[:i], line[i+2:]
	}
	args := strings.Fields(line)
	command, args := args[0], args[1:]
	switch command {
	case "budget":
		s.budget = pool.NewBudget(s.number(args[0]))
	case "budget-max":
		s.budget.SetMax(s.number(args[0]))
	case "pool":
		a := &actor{
			name: name, waiters: map[string]*waiter{}, holds: map[string]*resource{},
			grants: map[string]grant{}, refused: map[string]pool.Refusal[string]{},
			known: map[string]*resource{},
		}
		s.configure(&a.config, args)
		a.Pool = pool.New[string](a.config, s.budget, s.now)
		s.pools[name] = a
	case "pass":
		s.pass(scenario.Duration(s.t, args[0]))
	default:
		a := s.pools[name]
		do := commands[command]
		if a == nil || do == nil {
			s.t.Fatalf("unknown pool or command in %q", line)
		}
		do(s, a, args)
	}
	s.settle()
}

// settle ticks what is due until nothing is. A pool that never gets there would keep an event loop spinning.
func (s *stage) settle() {
	for range 100 {
		quiet := true
		for _, name := range slices.Sorted(maps.Keys(s.pools)) {
			if a := s.pools[name]; a.Due() <= s.now {
				quiet = false
				a.Tick(s.now, &a.work)
				s.perform(a)
			}
		}
		if quiet {
			return
		}
	}
	s.t.Fatalf("after 100 ticks at %v a pool is still due:\n%s", s.now, s.String())
}

func (s *stage) pass(d time.Duration) {
	end := s.now + d
	for {
		next := end
		for _, a := range s.pools {
			next = min(next, a.Due())
		}
		s.now = max(s.now, next)
		before := s.String()
		s.settle()
		if after := s.String(); after != before {
			s.Reset()
			s.Say("%s%v:\n%s", before, s.now, strings.TrimSuffix(after[len(before):], "\n"))
		}
		if s.now >= end {
			return
		}
	}
}

func (s *stage) perform(a *actor) {
	for _, r := range a.work.Refused {
		name := r.Waiter.Owner.(string)
		s.Say("%s%s is refused after %v: %v", a.prefix(), name, r.Waited, r.Err)
		if a.manual {
			a.refused[name] = r
		} else if !a.AcceptRefusal(r) {
			s.t.Errorf("refusal of %s is stale", name)
		}
	}
	for _, g := range a.work.Grants {
		s.deliver(a, g)
	}
	for _, r := range a.work.Close {
		s.Say("%sclose %s: %v", a.prefix(), r.Value, r.CloseReason())
	}
	s.open(a, a.work.Open)
}

func (a *actor) prefix() string {
	if a.name == "p" {
		return ""
	}
	return a.name + ": "
}

func (s *stage) deliver(a *actor, g grant) {
	name := g.Waiter.Owner.(string)
	if a.manual {
		s.Say("%sgrant %s to %s", a.prefix(), g.Resource.Value, name)
		a.grants[name] = g
		return
	}
	if !a.Accept(g) {
		s.t.Errorf("grant to %s is stale", name)
	}
	s.has(a, name, g.Resource)
}

func (s *stage) has(a *actor, name string, r *resource) {
	if other := a.holds[name]; other != nil {
		s.t.Errorf("%s has %s already", name, other.Value)
	}
	a.holds[name] = r
	s.Say("%s%s has %s", a.prefix(), name, r.Value)
}

func (s *stage) open(a *actor, n int) {
	if a.opening += n; n > 0 {
		s.Say("%sopen %d", a.prefix(), n)
	}
}

func (s *stage) held(a *actor, name string) *resource {
	r := a.holds[name]
	if r == nil {
		s.t.Fatalf("%s has nothing", name)
	}
	delete(a.holds, name)
	return r
}

var commands = map[string]func(s *stage, a *actor, args []string){
	"acquire": func(s *stage, a *actor, args []string) {
		name := args[0]
		w := a.waiters[name]
		if w == nil {
			w = &waiter{Owner: name}
			a.waiters[name] = w
		}
		lane, err := pool.ParseLane(args[1])
		if err != nil {
			s.t.Fatal(err)
		}
		if w.Deadline = 0; len(args) > 2 {
			w.Deadline = s.now + scenario.Duration(s.t, args[2])
		}
		wait := a.ExpectedWait(lane, s.now)
		out := a.Acquire(w, lane, s.now, s.now)
		switch {
		case out.Resource != nil:
			s.has(a, name, out.Resource)
		case out.Err != nil:
			s.Say("%s%s is refused: %v", a.prefix(), name, out.Err)
		case out.Queued && wait > 0:
			s.Say("%s%s waits, perhaps %v", a.prefix(), name, wait)
		case out.Queued:
			s.Say("%s%s waits", a.prefix(), name)
		}
		s.open(a, out.Open)
	},
	"release": func(s *stage, a *actor, args []string) {
		if g, ok := a.Release(s.held(a, args[0]), s.now); ok {
			s.deliver(a, g)
		}
	},
	"discard": func(s *stage, a *actor, args []string) {
		if g, ok := a.grants[args[0]]; ok {
			s.open(a, a.Discard(g.Resource, s.now))
			return
		}
		s.open(a, a.Discard(s.held(a, args[0]), s.now))
	},
	"lost": func(s *stage, a *actor, args []string) {
		n, ok := a.DiscardIdle(a.known[args[0]], s.now)
		if !ok {
			s.Say("somebody has it")
		}
		s.open(a, n)
	},
	"cancel": func(s *stage, a *actor, args []string) {
		if r := a.Cancel(a.waiters[args[0]], s.now); r != nil {
			s.has(a, args[0], r)
		}
	},
	"accept": func(s *stage, a *actor, args []string) {
		if r, ok := a.refused[args[0]]; ok {
			delete(a.refused, args[0])
			s.Say("%v", a.AcceptRefusal(r))
		} else if g := a.grants[args[0]]; a.Accept(g) {
			s.has(a, args[0], g.Resource)
		} else {
			s.Say("stale")
		}
	},
	"manual": func(s *stage, a *actor, args []string) { a.manual = true },
	"opened": func(s *stage, a *actor, args []string) {
		s.opens(a, args, func() {
			s.last++
			value := "#" + strconv.Itoa(s.last)
			r, g, ok := a.Opened(value, s.now)
			a.known[value] = r
			s.Say("%s%s opened", a.prefix(), value)
			if ok {
				s.deliver(a, g)
			}
		})
	},
	"opened-in": func(s *stage, a *actor, args []string) {
		a.opening--
		s.last++
		a.OpenedIn("#"+strconv.Itoa(s.last), uint64(s.number(args[0])), s.now)
	},
	"failed": func(s *stage, a *actor, args []string) {
		s.opens(a, args, func() { a.OpenFailed(s.now) })
	},
	"target": func(s *stage, a *actor, args []string) { a.SetTarget(s.number(args[0])) },
	"limit":  func(s *stage, a *actor, args []string) { a.SetLimit(s.number(args[0])) },
	"config": func(s *stage, a *actor, args []string) {
		s.configure(&a.config, args)
		a.SetConfig(a.config, s.now)
	},
	"hold":         func(s *stage, a *actor, args []string) { a.Hold(s.now) },
	"hold-closing": func(s *stage, a *actor, args []string) { a.HoldClosing(s.now) },
	"unhold": func(s *stage, a *actor, args []string) {
		a.Unhold(s.now, &a.work)
		s.perform(a)
	},
	"drained": func(s *stage, a *actor, args []string) { s.Say("%v", a.Drained()) },
	"reserve": func(s *stage, a *actor, args []string) {
		lane, err := pool.ParseLane(args[0])
		if err != nil {
			s.t.Fatal(err)
		}
		a.OpenReserve(lane, s.now+scenario.Duration(s.t, args[1]))
	},
	"shed": func(s *stage, a *actor, args []string) {
		var lanes []pool.Lane
		for _, name := range args {
			lane, err := pool.ParseLane(name)
			if err != nil {
				s.t.Fatal(err)
			}
			lanes = append(lanes, lane)
		}
		a.Shed(lanes...)
	},
	"reconnect": func(s *stage, a *actor, args []string) { a.Reconnect(s.now) },
	"close": func(s *stage, a *actor, args []string) {
		a.Close(s.now, &a.work)
		s.perform(a)
	},
	"next-close": func(s *stage, a *actor, args []string) {
		for r := a.NextClose(); r != nil; r = a.NextClose() {
			s.Say("%sclose %s: %v", a.prefix(), r.Value, r.CloseReason())
		}
	},
	"due": func(s *stage, a *actor, args []string) {
		if due := a.Due(); due == pool.Forever {
			s.Say("never")
		} else {
			s.Say("in %v", due-s.now)
		}
	},
	"stat": func(s *stage, a *actor, args []string) { s.stat(a) },
}

func (s *stage) opens(a *actor, args []string, end func()) {
	n := 1
	if len(args) > 0 {
		n = s.number(args[0])
	}
	for range n {
		if a.opening--; a.opening < 0 {
			s.t.Fatalf("no open of %s is in flight after:\n%s", a.name, s.String())
		}
		end()
	}
}

func (s *stage) stat(a *actor) {
	st := a.Stat(s.now)
	state := st.State
	if st.Down {
		state += ", down"
	}
	s.Say("%s; open %d = %d idle + %d busy; opening %d; target %d, limit %d; reserve %d free, %d busy",
		state, st.Open, st.Idle, st.Busy, st.Opening, st.Target, st.Limit, st.ReserveFree, st.ReserveBusy)
	s.Say("waiting %v, oldest %v; granted %v, emergencies %v; cancelled %v; unclaimed %d; requeued %v",
		st.Waiting, st.OldestWait, st.Granted, st.Emergencies, st.Cancelled, st.Unclaimed, st.Requeued)
	line := fmt.Sprintf("opens %d, failed %d", st.Opens, st.OpenFailures)
	for reason, n := range st.Refused {
		if n > 0 {
			line += fmt.Sprintf("; refused %d: %v", n, pool.Reason(reason))
		}
	}
	for reason, n := range st.Closed {
		if n > 0 {
			line += fmt.Sprintf("; closed %d: %v", n, pool.CloseReason(reason))
		}
	}
	s.Say("%s", line)
	if s.budget != nil {
		s.Say("budget %d of %d", s.budget.InUse(), s.budget.Max())
	}
}
