package usher

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	engine "github.com/usher-pg/usher/pool"
)

// Manager owns the pools of a [Config]. Its methods may be called by any goroutine.
type Manager struct {
	pools  map[string]*Pool
	origin time.Time // what the engine's times count from
	log    *slog.Logger

	waiters sync.Pool // of *waiter

	// opening is what server connections are opened under: the values of Open's context, ended by Close.
	opening     context.Context
	stopOpening context.CancelFunc

	// alarm is when the goroutine of run wakes up by itself; awake while it does not sleep.
	alarm atomic.Int64
	bell  chan struct{} // wakes it before

	living  group // server connections, from the start of their opening to the end of their closing
	closing sync.Once
	ending  sync.Once
	stop    chan struct{} // closed when all are gone
	stopped chan struct{} // closed when run has returned
}

// awake is an alarm that nothing is due before.
const awake = math.MinInt64

// Open makes the pools. It does not wait for connections: they are opened in the background, those of
// PoolConfig.Min at once, with the values of ctx but not its end. Acquire one to find out whether a server can
// be reached. Close the manager when it is not needed any more.
func Open(ctx context.Context, config Config) (*Manager, error) {
	configs := map[string]PoolConfig{}
	for name, c := range config.Pools {
		normal, err := c.normal()
		if err != nil {
			return nil, fmt.Errorf("pool %q: %w", name, err)
		}
		configs[name] = normal
	}
	if err := checkBudgets(config.Budgets, configs); err != nil {
		return nil, err
	}
	m := &Manager{
		pools: map[string]*Pool{}, origin: time.Now(), log: config.Logger,
		waiters: sync.Pool{New: newWaiter},
		bell:    make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.opening, m.stopOpening = context.WithCancel(context.WithoutCancel(ctx))
	budgets := map[string]*engine.Budget{}
	for server, most := range config.Budgets {
		budgets[server] = engine.NewBudget(most)
	}
	for name, c := range configs {
		m.pools[name] = newPool(m, name, c, budgets[c.server()])
	}
	m.meetNeighbours()
	go m.run()
	return m, nil
}

// meetNeighbours tells the pools whom they share their budget with.
func (m *Manager) meetNeighbours() {
	for _, p := range m.pools {
		for _, q := range m.pools {
			if q == p || p.budget != nil && q.budget == p.budget {
				p.neighbours = append(p.neighbours, q)
			}
		}
	}
}

// Acquire is that of the pool. See [Pool.Acquire].
func (m *Manager) Acquire(ctx context.Context, pool string, lane Lane) (*Conn, error) {
	p := m.pools[pool]
	if p == nil {
		return nil, &AcquireError{Pool: pool, Lane: lane, Err: ErrNoPool}
	}
	return p.Acquire(ctx, lane)
}

// Pool of that name, nil if there is none.
func (m *Manager) Pool(name string) *Pool { return m.pools[name] }

// Names of the pools, sorted.
func (m *Manager) Names() []string { return slices.Sorted(maps.Keys(m.pools)) }

// Stat takes a snapshot of every pool.
func (m *Manager) Stat() map[string]Stat {
	stats := make(map[string]Stat, len(m.pools))
	for name, p := range m.pools {
		stats[name] = p.Stat()
	}
	return stats
}

// Close refuses all who wait and all who come, closes what is idle at once and the rest as it is released, and
// returns when all server connections are closed.
func (m *Manager) Close() {
	m.closing.Do(func() {
		m.stopOpening()
		var work engine.Work[*server]
		for _, p := range m.pools {
			p.engine.Close(m.now(), &work)
			p.perform(&work)
		}
	})
	m.living.wait()
	m.ending.Do(func() { close(m.stop) })
	<-m.stopped
}

func (m *Manager) now() time.Duration { return time.Since(m.origin) }

// run lets the engines do what is due by time. It ends with the last server connection.
func (m *Manager) run() {
	defer close(m.stopped)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var work engine.Work[*server]
	for {
		m.alarm.Store(awake)
		next := engine.Forever
		for _, p := range m.pools {
			next = min(next, p.look(m.now(), &work))
		}
		m.alarm.Store(int64(next))
		if m.due() < next {
			continue // it became due before the alarm was set, so nobody rang
		}
		timer.Reset(next - m.now())
		select {
		case <-m.bell:
		case <-timer.C:
		case <-m.stop:
			return
		}
	}
}

// due is when the first of the engines must be ticked.
func (m *Manager) due() time.Duration {
	next := engine.Forever
	for _, p := range m.pools {
		next = min(next, p.engine.Due())
	}
	return next
}

// wake ends the sleep of run.
func (m *Manager) wake() {
	if m.alarm.Swap(awake) == awake {
		return // it is awake, or rung already
	}
	select {
	case m.bell <- struct{}{}:
	default:
	}
}

// group counts those whose end somebody waits for. It is a sync.WaitGroup that nobody can join any more once
// it is waited for.
type group struct {
	mu      sync.Mutex // guards both
	closed  bool
	members sync.WaitGroup
}

func (g *group) join() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.members.Add(1)
	}
	return !g.closed
}

func (g *group) leave() { g.members.Done() }

func (g *group) wait() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.members.Wait()
}
