package pool

import (
	"sync"
	"sync/atomic"
)

// Budget is how many resources all pools of one server may have open together. Each pool's Min is guaranteed:
// nobody else gets it, even before the pool opens it. Beyond that first come is first served. When it is all given
// away, a pool whose waiters need one makes the others close what they have idle above their Min; and if nothing is
// idle, those that have more than it close one as it is released, until no two pools whose waiters need more differ
// by more than one.
//
// The pools do not know each other. A wish that cannot be met rings the bells of those who could yield, and
// what comes free rings those of the wishers; a rung bell makes the pool's [Pool.Due] be now.
type Budget struct {
	mu sync.Mutex // guards all below and every share; taken under a pool's mutex, never the other way round

	max    int
	used   int // sum of the shares'
	held   int // sum of max(used, guaranteed)
	wished int // sum of the shares' wishes
	shares []*share

	hungry atomic.Bool // somebody should yield: held + wished > max
}

// share is one pool's part. A nil share is that of a pool without budget.
type share struct {
	budget     *Budget
	used       int
	guaranteed int
	wish       int  // what waiters need beyond max(used, guaranteed)
	refused    bool // the last claim was cut short
	leaving    int  // of used: those that are being closed for others
	left       bool // the pool is closed

	bell atomic.Bool // the pool should look again
}

// NewBudget makes a budget of max resources.
func NewBudget(max int) *Budget { return &Budget{max: max} }

// SetMax changes the budget. If it is less than what is open, pools yield what is idle above their Min at
// once and the rest as it is released.
func (b *Budget) SetMax(max int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before, grown := b.shortage(), max > b.max
	b.max = max
	b.ring(nil, before, grown)
}

// Max is the budget.
func (b *Budget) Max() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.max
}

// InUse is how many are open or being opened.
func (b *Budget) InUse() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

func (b *Budget) shortage() int { return max(0, b.held+b.wished-b.max) }

// ring rings those who could yield if the shortage has risen, and only then: two pools that cannot help each
// other must not keep each other awake. It rings those who were refused if something came free. The one who
// caused it is not rung.
func (b *Budget) ring(by *share, before int, freed bool) {
	now := b.shortage()
	b.hungry.Store(now > 0)
	for _, s := range b.shares {
		if s != by && (now > before && s.used > s.guaranteed || freed && s.refused) {
			s.bell.Store(true)
		}
	}
}

// join adds a pool; a nil budget gives a nil share.
func (b *Budget) join(guaranteed int) *share {
	if b == nil {
		return nil
	}
	s := &share{budget: b}
	b.mu.Lock()
	b.shares = append(b.shares, s)
	b.mu.Unlock()
	s.guarantee(guaranteed)
	return s
}

// set is the only writer of a share's numbers and the budget's sums.
func (s *share) set(used, guaranteed, wish int) {
	b := s.budget
	if used < 0 {
		panic("bug: budget freed more than was claimed")
	}
	b.used += used - s.used
	b.held += max(used, guaranteed) - max(s.used, s.guaranteed)
	b.wished += wish - s.wish
	s.used, s.guaranteed, s.wish = used, guaranteed, wish
}

// guarantee changes the pool's Min.
func (s *share) guarantee(n int) {
	if s == nil {
		return
	}
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	before, freed := s.budget.shortage(), n < s.guaranteed
	s.set(s.used, n, s.wish)
	s.budget.ring(s, before, freed)
}

// claim takes up to n and says how many it got. The first urgent ones of them are needed by waiters: if they
// are not to be had, others should yield them. The rest leaves alone what others wish for.
func (s *share) claim(n, urgent int) int {
	if s == nil {
		return n
	}
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.shortage()
	s.set(s.used, s.guaranteed, 0)
	got := 0
	for got < n && s.mayClaim(got < urgent) {
		s.set(s.used+1, s.guaranteed, 0)
		got++
	}
	s.refused = got < n
	// What is still guaranteed counts in held already.
	s.set(s.used, s.guaranteed, max(0, min(urgent, n)-got-max(0, s.guaranteed-s.used)))
	b.ring(s, before, false)
	return got
}

func (s *share) mayClaim(urgent bool) bool {
	b := s.budget
	switch {
	case b.used >= b.max:
		return false
	case s.used < s.guaranteed:
		return true
	case urgent:
		return b.held < b.max && !s.outranked()
	}
	return b.held+b.wished < b.max
}

// outranked is whether another pool that has less has waiters that need more: it comes first.
func (s *share) outranked() bool {
	for _, o := range s.budget.shares {
		if o != s && o.wish > 0 && max(o.used, o.guaranteed) < s.used {
			return true
		}
	}
	return false
}

// cede reports whether the pool should close a resource that is released, though its waiters could use it, because
// another pool's waiters need it more. If so it is noted; [share.ceded] ends that.
func (s *share) cede() bool {
	if s == nil || !s.budget.hungry.Load() {
		return false
	}
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	mine := s.used - s.leaving
	for _, o := range b.shares {
		if o != s && o.wish > 0 && mine > s.guaranteed && max(o.used, o.guaranteed)+1 < mine {
			s.leaving++
			return true
		}
	}
	return false
}

// ceded frees one that cede asked for.
func (s *share) ceded() {
	s.budget.mu.Lock()
	s.leaving--
	s.budget.mu.Unlock()
	s.free(1)
}

// resign ends the wish for more: the pool cannot open what it is given.
func (s *share) resign() {
	if s == nil {
		return
	}
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.shortage()
	s.set(s.used, s.guaranteed, 0)
	b.ring(s, before, true)
}

// free gives back what was claimed.
func (s *share) free(n int) {
	if s == nil || n == 0 {
		return
	}
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.shortage()
	s.set(s.used-n, s.guaranteed, s.wish)
	b.ring(s, before, true)
	s.sweep()
}

// yield gives back up to n above the guarantee, as many as others wish for, and says how many: the pool
// closes them.
func (s *share) yield(n int) int {
	if s == nil || !s.budget.hungry.Load() {
		return 0
	}
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.shortage()
	n = max(0, min(n, s.used-s.guaranteed, before-s.wish))
	if n > 0 {
		s.set(s.used-n, s.guaranteed, s.wish)
		b.ring(s, before, true)
	}
	return n
}

// isHungry is whether somebody else may wish for what is idle here.
func (s *share) isHungry() bool { return s != nil && s.budget.hungry.Load() }

// rung is whether the pool should look again.
func (s *share) rung() bool { return s != nil && s.bell.Load() }

func (s *share) silence() {
	if s != nil {
		s.bell.Store(false)
	}
}

// leave gives up the guarantee. The share stays until the last resource is freed.
func (s *share) leave() {
	if s == nil {
		return
	}
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.shortage()
	s.left, s.refused = true, false
	s.set(s.used, 0, 0)
	b.ring(s, before, true)
	s.sweep()
}

func (s *share) sweep() {
	if !s.left || s.used > 0 {
		return
	}
	shares := s.budget.shares
	for i := range shares {
		if shares[i] == s {
			shares[i] = shares[len(shares)-1]
			s.budget.shares = shares[:len(shares)-1]
			return
		}
	}
}
