package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
	engine "github.com/usher-pg/usher/pool"
)

// Mode says how long a client keeps a server connection.
type Mode uint8

// The modes, as PgBouncer's pool_mode.
const (
	ModeTransaction Mode = iota
	ModeSession
	ModeStatement
)

func (m Mode) String() string { return [...]string{"transaction", "session", "statement"}[m] }

// Dialer opens a server connection of a pool. It is called on a goroutine of its own.
type Dialer func(ctx context.Context) (*Opened, error)

// Opened is a server connection that is logged in and ready.
type Opened struct {
	Carrier    *carrier.Conn
	TLS        *tls.Conn // nil without TLS
	ProcessID  uint32
	Parameters []wire.Param // what the server reported

	// Cancel cancels what the connection is doing. It returns when the server has seen to it.
	Cancel func(ctx context.Context) error
}

// Rules is what an operator decides about a pool. It can be exchanged at run time.
type Rules struct {
	Mode           Mode
	Engine         engine.Config
	Timeouts       Timeouts
	ConnectTimeout time.Duration
	Statements     int           // prepared statements kept on a server connection; 0: names go through as they are
	ResetQuery     string        // cleans a server connection after a session; "": nothing does
	EndIdle        time.Duration // see rescue; 0: nobody is ended
	Disabled       bool
	Dial           Dialer
}

// Pool is a named set of server connections with one identity, and the clients who want them.
type Pool struct {
	relay    *Relay
	name     string // the database a client asks for
	user     string
	engine   *engine.Pool[*server]
	current  atomic.Pointer[Rules]
	home     *loop
	counters []counters    // by loop
	next     atomic.Uint32 // loop the next server connection goes to
	clients  atomic.Int64
	removed  atomic.Bool
	held     atomic.Bool // by Pause, Hold or Kill
	attended atomic.Bool // somebody looks after critical requests that wait; see rescue
	shedding atomic.Pointer[shedding]

	// mutex guards the wishes and what opening server connections has taught.
	mutex  sync.Mutex
	params []wire.Param  // ParameterStatus of the latest server connection; nil before the first
	failed error         // why the latest open failed; nil after a success
	begun  beginnings    // what clients begin with, by what they asked for; as long as params stay
	told   chan struct{} // closed at the next change of the two
	wishes map[string]int
}

func (p *Pool) rules() *Rules { return p.current.Load() }

// Name is the database a client asks for.
func (p *Pool) Name() string { return p.name }

// User is who the pool's clients are.
func (p *Pool) User() string { return p.user }

// Mode is the pool's mode now.
func (p *Pool) Mode() Mode { return p.rules().Mode }

// mapped is how many prepared statements usher names itself on a server connection.
func (r *Rules) mapped() int {
	if r.Mode == ModeSession {
		return 0
	}
	return r.Statements
}

// Configure exchanges the rules. Server connections are replaced as they come free if another dialer made them
// (reconnect), or if they hold prepared statements by other rules: a client's own names would be met by the next one.
func (p *Pool) Configure(rules Rules, reconnect bool) {
	before := p.current.Swap(&rules)
	now := p.relay.Now()
	p.engine.SetConfig(rules.Engine, now)
	if reconnect || before.mapped() != rules.mapped() {
		p.engine.Reconnect(now)
	}
	p.ring()
}

// ring makes the pool's home loop look at it.
func (p *Pool) ring() { p.home.reactor.Post(func() {}) }

// wake makes sure that the home loop does not sleep through what has become due by what l did.
func (p *Pool) wake(l *loop) {
	if p.home != l && p.engine.Due() < l.now+longestSleep {
		p.ring()
	}
}

// tick lets the engine do what is due.
func (p *Pool) tick(l *loop) {
	w := &l.work
	p.engine.Tick(l.now, w)
	p.carryOut(l, w)
}

// carryOut does what the engine has decided.
func (p *Pool) carryOut(l *loop, w *engine.Work[*server]) {
	l.grants = append(l.grants, w.Grants...)
	for _, r := range w.Refused {
		c := r.Waiter.Owner.(*client)
		c.loop.run(l, func() { c.refused(r) })
	}
	for _, r := range w.Close {
		s := r.Value
		s.loop.run(l, func() { s.retire() })
	}
	p.open(l, w.Open)
}

// run calls f on l: at once when l is the caller's own loop, else by its mailbox.
func (l *loop) run(caller *loop, f func()) {
	if l == caller {
		f()
		return
	}
	l.reactor.Post(func() {
		l.now = l.reactor.Now()
		f()
		l.deliver()
	})
}

// open starts to open n server connections.
func (p *Pool) open(l *loop, n int) {
	for range n {
		p.relay.background(p.dial)
	}
}

// lost tells the engine that a server connection is gone. An idle one may have been granted to somebody already, who
// will find out.
func (p *Pool) lost(s *server, was serverPlace) {
	if s.alone() {
		return
	}
	now := s.loop.now
	if was == serverIdle {
		open, _ := p.engine.DiscardIdle(s.resource, now)
		p.open(s.loop, open)
		return
	}
	p.open(s.loop, p.engine.Discard(s.resource, now))
}

// empty reports whether the pool has no server connection and none on its way.
func (p *Pool) empty() bool {
	stat := p.Stat()
	return stat.Open+stat.Opening+stat.Closing == 0
}

// dial opens one server connection and gives it to a loop.
func (p *Pool) dial(ctx context.Context) {
	epoch := p.engine.Epoch() // before the rules: a server connection of older ones is not to pass for a new one
	rules := p.rules()
	ctx, stop := context.WithTimeout(ctx, rules.ConnectTimeout)
	defer stop()
	conn, err := rules.Dial(ctx)
	var s *server
	if err == nil {
		s, err = p.newServer(conn, rules)
	}
	if err == nil {
		s.epoch = epoch
	}
	if err != nil {
		p.relay.log.Error("server connection not opened", "pool", p.name, "user", p.user, "error", err)
		p.learn(nil, err)
		p.engine.OpenFailed(p.relay.Now())
		p.ring()
		return
	}
	p.learn(conn.Parameters, nil)
	s.loop.reactor.Post(func() {
		s.loop.now = s.loop.reactor.Now()
		s.arrive()
		s.loop.deliver()
	})
}

// learn notes what an attempt to open a server connection has taught, and tells who waits for it.
func (p *Pool) learn(params []wire.Param, err error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if err == nil {
		if fresh := withoutName(params); !slices.Equal(fresh, p.params) {
			p.params, p.begun = fresh, nil
		}
	}
	p.failed = err
	close(p.told)
	p.told = make(chan struct{})
}

// withoutName is what a server connection reported, but for usher's own name: a client that gives none has none.
func withoutName(params []wire.Param) []wire.Param {
	params = slices.Clone(params)
	for i := range params {
		if params[i].Name == "application_name" {
			params[i].Value = ""
		}
	}
	return params
}

// Parameters is what a server connection reports at its start, which a client must be told before there need be one for
// it. If none was ever open, one is opened.
func (p *Pool) Parameters(ctx context.Context) ([]wire.Param, error) {
	asked := false
	for {
		p.mutex.Lock()
		params, failed, told := p.params, p.failed, p.told
		p.mutex.Unlock()
		if params != nil {
			if asked {
				p.WishTarget(wishOfLogins, 0)
			}
			return params, nil
		}
		if asked && failed != nil {
			return nil, pgerr.ServerLogin.With().Because(failed)
		}
		if !asked {
			p.WishTarget(wishOfLogins, 1)
			asked = true
		}
		select {
		case <-told:
		case <-ctx.Done():
			return nil, pgerr.ServerLogin.With().Because(context.Cause(ctx))
		}
	}
}

// lastFailure is why the latest open failed, nil if it did not.
func (p *Pool) lastFailure() error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.failed
}

// refusals says what a client is told when the engine refuses its request.
var refusals = []struct {
	err error
	row *pgerr.Row
}{
	{engine.ErrQueueFull, pgerr.QueueFull},
	{engine.ErrQueueTimeout, pgerr.QueueTimeout},
	{engine.ErrHopeless, pgerr.Hopeless},
	{engine.ErrShed, pgerr.Shed},
	{engine.ErrDown, pgerr.ServerDown},
	{engine.ErrClosed, pgerr.PoolClosed},
}

// explain turns the engine's refusal into what the client is told.
func (p *Pool) explain(err error, wait time.Duration) *pgerr.Error {
	i := slices.IndexFunc(refusals, func(r struct {
		err error
		row *pgerr.Row
	}) bool {
		return errors.Is(err, r.err)
	})
	if i < 0 {
		panic("bug: refusal without a row: " + err.Error())
	}
	e := refusals[i].row.With()
	if s := p.shedding.Load(); s != nil && s.why != "" && e.Row == pgerr.Shed {
		return e.WithHint("Emergency measures are in force: %s. Retry later.", s.why)
	}
	if wait > 0 {
		e.WithHint("The expected wait is %v.", wait.Round(time.Millisecond))
	}
	if cause := p.lastFailure(); cause != nil && e.Row == pgerr.ServerDown {
		e.Because(cause)
	}
	return e
}
