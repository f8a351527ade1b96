package pool_test

import (
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/usher-pg/usher/pool"
)

type world struct {
	t       *rapid.T
	now     time.Duration
	budget  *pool.Budget
	max     int // of the budget, 0: none
	pools   []*subject
	numbers int // last resource
	inUse   int
	held    int // with what is guaranteed to pools that have not opened it
}

// subject is a pool beside its twin.
type subject struct {
	*pool.Pool[int]
	w       *world
	cfg     pool.Config
	twin    *twin
	waiters []*requester
	opening int
	known   map[int]*pool.Resource[int]
	mail    []any                   // grants and refusals not delivered yet
	latest  map[int]pool.Grant[int] // of each resource
	work    pool.Work[int]
	before  pool.Stat // at the last check
}

type requester struct {
	pool.Waiter[int]
	id     int
	holds  *pool.Resource[int]
	queued bool // or with mail under way
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t}
	n := rapid.IntRange(1, 3).Draw(t, "pools")
	guaranteed := 0
	for range n {
		cfg := drawConfig(t)
		guaranteed += cfg.Min
		w.pools = append(w.pools, &subject{w: w, cfg: cfg})
	}
	if rapid.Bool().Draw(t, "with budget") {
		w.max = guaranteed + rapid.IntRange(1, 6).Draw(t, "budget beyond the mins")
		w.budget = pool.NewBudget(w.max)
	}
	for _, s := range w.pools {
		s.Pool = pool.New[int](s.cfg, w.budget, 0)
		s.twin = newTwin(s.cfg)
		s.known = map[int]*pool.Resource[int]{}
		s.latest = map[int]pool.Grant[int]{}
		for i := range 8 {
			q := &requester{id: i + 1}
			q.Owner, q.Direct = q, i%3 == 2
			s.waiters = append(s.waiters, q)
		}
	}
	w.settle()
	return w
}

func drawConfig(t *rapid.T) pool.Config {
	ms := func(label string, values ...int) time.Duration {
		return time.Duration(rapid.SampledFrom(values).Draw(t, label)) * time.Millisecond
	}
	cfg := pool.Config{
		Max:          rapid.IntRange(1, 4).Draw(t, "max"),
		Reserve:      rapid.IntRange(0, 2).Draw(t, "reserve"),
		QueueTimeout: ms("queue timeout", 0, 50),
		Ageing:       ms("ageing", 7, 100),
		IdleTimeout:  ms("idle timeout", 0, 20),
		Lifetime:     ms("lifetime", 0, 60),
		OpenParallel: rapid.IntRange(1, 3).Draw(t, "parallel"),
		RetryMin:     time.Millisecond, RetryMax: 8 * time.Millisecond,
		Grace: ms("grace", 5, 30),
		Seed:  rapid.Uint64().Draw(t, "seed"),
	}
	cfg.Min = rapid.IntRange(0, cfg.Max).Draw(t, "min")
	cfg.SLO[pool.Critical] = 10 * time.Millisecond
	cfg.SLO[pool.High] = ms("slo of high", 0, 25)
	for l := range cfg.QueueLimit {
		cfg.QueueLimit[l] = rapid.IntRange(1, 4).Draw(t, "queue limit")
	}
	return cfg
}

// settle does what an event loop does after each turn.
func (w *world) settle() {
	for range 100 {
		quiet := true
		for _, s := range w.pools {
			s.twin.now = w.now
			if s.Due() <= w.now {
				quiet = false
				s.Tick(w.now, &s.work)
				s.perform()
			}
		}
		if quiet {
			return
		}
	}
	w.t.Fatalf("a pool is due again and again at %v", w.now)
}

func (s *subject) perform() {
	t := s.w.t
	refused := map[int]error{}
	for _, r := range s.work.Refused {
		q := r.Waiter.Owner.(*requester)
		refused[q.id] = r.Err
		if q.Direct {
			q.queued = false
		} else {
			s.mail = append(s.mail, r)
		}
	}
	if diff := cmp.Diff(s.twin.refuse(), refused, cmpopts.EquateErrors()); diff != "" {
		t.Fatalf("refused (-twin +pool):\n%s", diff)
	}
	for _, g := range s.work.Grants {
		id, r := s.twin.grant()
		if q := g.Waiter.Owner.(*requester); q.id != id || g.Resource.Value != r {
			t.Fatalf("tick grants %d to %d, the twin %d to %d", g.Resource.Value, q.id, r, id)
		}
		s.post(g)
	}
	for _, r := range s.work.Close {
		s.closed(r)
	}
	s.opening += s.work.Open
	if s.work.Next != s.Due() {
		t.Fatalf("next is %v but due %v", s.work.Next, s.Due())
	}
}

// check runs after each action.
func (w *world) check(t *rapid.T) {
	w.t = t
	w.settle()
	total, held := 0, 0
	for _, s := range w.pools {
		n := s.check(t)
		total += n
		held += max(n, s.cfg.Min)
	}
	if w.budget == nil {
		return
	}
	if w.budget.InUse() != total {
		t.Fatalf("budget counts %d, the pools have %d", w.budget.InUse(), total)
	}
	if total > w.inUse && total > w.max {
		t.Fatalf("%d of a budget of %d", total, w.max)
	}
	if held > w.held && held > w.max {
		t.Fatalf("%d open of a budget of %d leave too little for the mins", total, w.max)
	}
	w.inUse, w.held = total, held
}

func (s *subject) check(t *rapid.T) int {
	if id, r := s.twin.grant(); id != 0 {
		t.Fatalf("the twin would give %d to %d now", r, id)
	}
	if late := s.twin.refuse(); len(late) > 0 {
		t.Fatalf("the twin would refuse %v now", late)
	}
	st := s.Stat(s.w.now)
	var waiting [pool.Lanes]int
	for _, w := range s.twin.waiting {
		waiting[w.lane]++
	}
	type numbers struct {
		Open, Idle, Busy, Handed, Opening int
		Waiting                           [pool.Lanes]int
		Limit                             int
		Down                              bool
	}
	got := numbers{st.Open, st.Idle, st.Busy, st.Handed, st.Opening, st.Waiting, st.Limit, st.Down}
	want := numbers{
		s.twin.open(), len(s.twin.idle), s.twin.taken(), len(s.twin.handed), s.opening, waiting,
		min(s.cfg.Max, s.twin.limit), s.twin.down(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("stat (-twin +pool):\n%s", diff)
	}
	s.checkCounts(t, st)
	if s.opening > s.before.Opening && s.opening > s.cfg.OpenParallel {
		t.Fatalf("%d opens in flight", s.opening)
	}
	if n := st.Open + s.opening; n > s.before.Open+s.before.Opening && n > s.cfg.Max+s.cfg.Reserve {
		t.Fatalf("%d open and %d opening are too many", st.Open, s.opening)
	}
	s.before = st
	return st.Open + st.Opening + st.Closing
}

// checkCounts checks that all counters add up.
func (s *subject) checkCounts(t *rapid.T, st pool.Stat) {
	sum := func(ns ...uint64) (n uint64) {
		for _, x := range ns {
			n += x
		}
		return n
	}
	in := sum(st.Arrived[:]...) + sum(st.Requeued[:]...)
	out := sum(st.Granted[:]...) + sum(st.Cancelled[:]...) + sum(st.Refused[:]...)
	out += uint64(len(s.twin.waiting))
	if in != out {
		t.Fatalf("%d requests came, %d are accounted for", in, out)
	}
	recorded := uint64(0)
	for l := range st.Acquisition {
		recorded += st.Acquisition[l].Count()
		if st.Emergencies[l] > st.Granted[l] {
			t.Fatalf("more emergencies than grants in lane %v", pool.Lane(l))
		}
	}
	if granted := sum(st.Granted[:]...); recorded != granted {
		t.Fatalf("%d grants, %d acquisitions recorded", granted, recorded)
	}
	if closed := sum(st.Closed[:]...); st.Opens != st.OpenFailures+uint64(s.opening+st.Open)+closed {
		t.Fatalf("%d opens, %d failed, %d in flight, %d open, %d closed",
			st.Opens, st.OpenFailures, s.opening, st.Open, closed)
	}
}

// finish checks that nobody is forgotten: when the server works, holds end and all release what they have,
// everybody gets something.
func (w *world) finish(t *rapid.T) {
	for _, s := range w.pools {
		s.Shed()
		clear(s.twin.shed)
		s.unhold()
	}
	for range 200 {
		w.settle()
		waiting := 0
		for _, s := range w.pools {
			for len(s.mail) > 0 {
				letter := s.mail[0]
				s.mail = s.mail[1:]
				s.deliver(letter)
			}
			for s.opening > 0 {
				s.opened()
			}
			for _, q := range s.waiters {
				if q.holds != nil {
					s.release(q)
				}
				if q.queued {
					waiting++
				}
			}
		}
		if waiting == 0 {
			return
		}
		w.until(w.now + time.Millisecond)
	}
	t.Fatal("some wait for ever")
}
