package pool

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Pool shares resources among requests. Its methods may be called by any goroutine; none of them blocks,
// starts anything or reads a clock. Times are durations since an origin of the caller's choosing, from a
// monotonic clock; a time that lies before one already seen counts as that one.
type Pool[R any] struct {
	// mu guards all below but the atomics, and every waiter and resource. Nothing is called or waited for
	// under it except a Budget's mutex.
	mu sync.Mutex

	// What every request and release touches lies together: when several threads share the pool, each of these
	// cache lines has to travel.

	now     time.Duration // the latest seen
	state   state
	shed    laneSet
	starved bool          // the budget cut the last claim short, and nothing has made room since
	wishes  bool          // the budget knows of what the last claim did not get
	barren  bool          // nothing is open and opening fails
	orders  uint64        // last given to a waiter
	service float64       // moving average of how long a resource is held, in ns
	pace    pace          // of releases
	moved   time.Duration // when an ordinary one was last taken, or came free
	freed   time.Duration // when one was released last
	epoch   uint64

	idle     stack[R] // first: last used
	count    [places]int
	worn     int // open ones past their lifetime
	opening  int
	failures int // to open, in a row
	queue    queue[R]

	// Sizes.
	target int    // as asked; see floor
	cap    int    // as asked by SetLimit; see limit
	config Config // normal
	share  *share // of the budget

	glass struct { // break-glass
		lanes laneSet
		until time.Duration
	}
	seqs      uint64         // last given to a grant or refusal
	resources []*Resource[R] // the open ones, in no order
	closing   stack[R]
	nextWorn  time.Duration
	openFrom  time.Duration // the rate of opens allows the next from then on, and earlier ones as a burst
	retryAt   time.Duration // when a failed open may be repeated
	since     time.Duration // when it began to be barren
	random    *rand.Rand

	due      atomic.Int64 // when Tick must be called; written under mu
	closings atomic.Int64 // count[closing]

	tally tally
	paces [Lanes]pace // of grants to those who had to wait
}

// state is what the pool as a whole does.
type state uint8

const (
	active   state = iota
	held           // grants nothing
	emptying       // grants nothing, opens nothing, closes what it has
	closed         // for ever
)

var stateNames = [...]string{"active", "held", "emptying", "closed"}

func (s state) String() string { return stateNames[s] }

// New makes a pool with nothing open: the first Tick, due at once, says what to open. budget may be nil. A
// config that does not pass Validate panics.
func New[R any](cfg Config, budget *Budget, now time.Duration) *Pool[R] {
	p := &Pool[R]{
		now:      now,
		config:   cfg.normal(),
		random:   rand.New(rand.NewPCG(cfg.Seed, 0)),
		cap:      MaxOpen,
		nextWorn: Forever,
		share:    budget.join(cfg.Min),
	}
	p.queue.init()
	p.due.Store(int64(now))
	return p
}

// spins is how often lock tries before it lets a goroutine wait. Others hold the mutex for some 50 ns, and a
// goroutine that is put to sleep may hold a resource that many wait for: with 64 goroutines that share 8
// resources on two cores, this saves a fifth of the time (BenchmarkContended of package usher). The threads of
// event loops have work to do between two calls, and rarely meet.
const spins = 200

// lock takes the mutex on the hot paths. direct is for a goroutine that is or was a waiter with Direct set.
func (p *Pool[R]) lock(direct bool) {
	if direct {
		for range spins {
			if p.mu.TryLock() {
				return
			}
		}
	}
	p.mu.Lock()
}

// Due is when Tick must be called next at the latest, [Forever] if never. Any call can make it earlier; it
// costs one atomic load, so look at it after each, or once per turn of an event loop.
func (p *Pool[R]) Due() time.Duration {
	if p.share.rung() {
		return 0
	}
	return time.Duration(p.due.Load())
}

// wake makes Tick due at t, if it is not due before.
func (p *Pool[R]) wake(t time.Duration) {
	if int64(t) < p.due.Load() {
		p.due.Store(int64(t))
	}
}

func (p *Pool[R]) advance(now time.Duration) time.Duration {
	if now > p.now {
		p.now = now
	}
	return p.now
}

func (p *Pool[R]) open() int { return p.count[idle] + p.taken() }

// taken is what is not free: busy, or on its way to a waiter.
func (p *Pool[R]) taken() int { return p.count[busy] + p.count[handed] }

// limit is how many may be taken by ordinary requests.
func (p *Pool[R]) limit() int { return min(p.cap, p.config.Max) }

// ordinary is how many may be taken by ordinary requests of those that are open: what is open beyond the
// reserve, but at least Min, so that a reserve that cannot be filled never starves them.
func (p *Pool[R]) ordinary() int {
	return min(p.limit(), max(p.open()-p.config.Reserve, p.config.Min, 1))
}

// floor is how many are kept open whatever the demand.
func (p *Pool[R]) floor() int {
	return max(p.config.Min, min(p.target, p.config.Max)) + p.config.Reserve
}

// ceiling is how many may be open.
func (p *Pool[R]) ceiling() int { return p.config.Max + p.config.Reserve }

// need is how many should be open now.
func (p *Pool[R]) need() int {
	if p.state >= emptying {
		return 0
	}
	demand := p.taken() + p.queue.total
	if p.config.Warm > 0 {
		demand += int(float64(demand) * p.config.Warm / (1 - p.config.Warm))
	}
	n := max(p.floor(), min(demand, p.limit())+p.config.Reserve)
	if p.barren {
		n = max(n, 1) // somebody must find out when the server is back
	}
	return n
}

// SetTarget says how many resources should be open now beside the reserve: they are opened ahead of demand
// and not closed for being idle. It counts as Min if it is less and as Max if it is more.
func (p *Pool[R]) SetTarget(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = n
	p.wake(p.now)
}

// SetLimit says how many resources ordinary requests may have at once, at least 1. It does not take away any.
// What more than Max is asked for counts as Max, also of a later config.
func (p *Pool[R]) SetLimit(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cap = max(1, n)
	p.wake(p.now)
}

// SetConfig replaces the config. What is too many is closed when it is idle, or when it is released.
func (p *Pool[R]) SetConfig(cfg Config, now time.Duration) {
	next := cfg.normal()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(now)
	p.config = next
	p.openFrom = min(p.openFrom, p.now+time.Duration(next.OpenParallel)*p.openGap()) // of a slower rate
	if p.state != closed {
		p.share.guarantee(cfg.Min)
	}
	p.worn, p.nextWorn = 0, Forever
	for _, r := range p.resources {
		p.setLifetime(r)
	}
	p.wake(p.now)
}

// Shed refuses requests of these lanes with ErrShed from now on, also those that wait, and no others'.
func (p *Pool[R]) Shed(lanes ...Lane) {
	set := setOf(lanes)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shed = set
	p.wake(p.now)
}

// OpenReserve breaks the glass: until then, requests of this lane and those above it take from the reserve
// without waiting first. A later call replaces an earlier one; a time that has come ends it.
func (p *Pool[R]) OpenReserve(lane Lane, until time.Duration) {
	checkLane(lane)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.glass.lanes, p.glass.until = 1<<(lane+1)-1, until
	p.wake(p.now)
}
