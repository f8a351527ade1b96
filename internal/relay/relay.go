package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/prepared"
	"github.com/usher-pg/usher/internal/reactor"
	engine "github.com/usher-pg/usher/pool"
)

// Limits are what no client may exceed.
type Limits struct {
	Message int // bytes of one message
	Clients int // clients connected at a time
}

// Config is what a relay is made from.
type Config struct {
	Loops   int
	Node    uint32 // this node's number in cancel keys
	Limits  Limits
	Batches bool // a loop does a turn's sends in one system call, and its receives, where the system can
	Log     *slog.Logger
}

// Relay is the data path.
type Relay struct {
	log        *slog.Logger
	limits     Limits
	batches    bool
	start      time.Time
	loops      []*loop
	keys       *keys
	statements *prepared.Registry
	ids        atomic.Uint64
	seated     atomic.Int64
	next       atomic.Uint32

	// ctx ends when Run does; what runs in the background ends with it.
	ctx  context.Context
	stop context.CancelCauseFunc

	// mutex guards pools and the count of what runs in the background.
	mutex   sync.Mutex
	pools   []*Pool
	running sync.WaitGroup
	stopped bool
}

// ErrStopped is why everything ends when Run is told to.
var ErrStopped = errors.New("usher stops")

// New makes a relay. Run starts it; until then, clients and server connections wait in the mailboxes of its loops.
func New(cfg Config) (*Relay, error) {
	if cfg.Loops < 1 || cfg.Loops > LoopsMax {
		return nil, fmt.Errorf("%d loops, expected 1 to %d", cfg.Loops, LoopsMax)
	}
	r := &Relay{
		log:        cfg.Log,
		limits:     cfg.Limits,
		batches:    cfg.Batches,
		start:      time.Now(),
		keys:       newKeys(cfg.Node),
		statements: prepared.NewRegistry(),
	}
	r.ctx, r.stop = context.WithCancelCause(context.Background())
	for i := range cfg.Loops {
		l := &loop{relay: r, index: i, log: cfg.Log, scratch: make([]byte, scratchLen)}
		var err error
		if l.reactor, err = reactor.New(l, r.start); err != nil {
			return nil, err
		}
		r.loops = append(r.loops, l)
	}
	return r, nil
}

// Now is the relay's clock: the time since it was made.
func (r *Relay) Now() time.Duration { return time.Since(r.start) }

// Run drives the loops until ctx ends or one of them fails, closes every connection and returns when all is over.
func (r *Relay) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	errs := make([]error, len(r.loops))
	for i, l := range r.loops {
		loops.Add(1)
		go func() {
			defer loops.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if r.batches {
				l.outbox.open(r.log)
				l.inbox.arena = make([]byte, inboxPieces*inboxPiece)
			}
			errs[i] = l.reactor.Run(r.ctx)
			r.stop(errs[i])
			l.closeAll()
			l.outbox.close()
		}()
	}
	defer context.AfterFunc(ctx, func() { r.stop(ErrStopped) })()
	loops.Wait()
	r.mutex.Lock()
	r.stopped = true
	r.mutex.Unlock()
	r.running.Wait()
	return errors.Join(errs...)
}

// closeAll closes what is left on a loop that has ended.
func (l *loop) closeAll() {
	l.slots.each(func(c *client, s *server) {
		switch {
		case c != nil && c.place != clientClosing:
			c.tell(pgerr.ShuttingDown.With())
			c.hangUp()
		case c != nil:
			c.hangUp()
		default:
			s.hangUp()
		}
	})
}

// background runs f on a goroutine of its own, which Run waits for.
func (r *Relay) background(f func(context.Context)) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.stopped {
		return
	}
	r.running.Add(1)
	go func() {
		defer r.running.Done()
		f(r.ctx)
	}()
}

// AddPool makes a pool. A budget may be shared with other pools of the same database server; nil is none.
func (r *Relay) AddPool(name, user string, rules Rules, budget *engine.Budget) *Pool {
	p := &Pool{
		relay:    r,
		name:     name,
		user:     user,
		engine:   engine.New[*server](rules.Engine, budget, r.Now()),
		counters: make([]counters, len(r.loops)),
		told:     make(chan struct{}),
	}
	p.current.Store(&rules)
	r.mutex.Lock()
	p.home = r.loops[len(r.pools)%len(r.loops)]
	r.pools = append(r.pools, p)
	r.mutex.Unlock()
	p.home.reactor.Post(func() { p.home.pools = append(p.home.pools, p) })
	return p
}

// left notes that a client is gone.
func (r *Relay) left(c *client) {
	r.seated.Add(-1)
	c.pool.clients.Add(-1)
}
