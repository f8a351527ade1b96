package relay

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/usher-pg/usher/internal/wire"
	engine "github.com/usher-pg/usher/pool"
)

// ConnView is what can be seen of a client or a server connection.
type ConnView struct {
	ID          uint64
	Link        uint64 // ID of the other side while linked, else 0
	Place       string // see place.go
	Pool        *Pool
	Remote      net.Addr // of a server connection: the server
	Local       net.Addr
	Connected   time.Duration // all times by Relay.Now
	Requested   time.Duration // when the last request came in
	Wait        time.Duration // how long the request at hand has waited
	TLS         string        // version and cipher, "" without TLS
	Application string
	Statements  int // prepared
	Descriptor  int
	Loop        int
	Unsent      int // bytes its peer has not taken
	Unread      int // bytes still to come of the message being forwarded
	Stashed     int // bytes read ahead

	// Of a client.
	Lane       string
	Pins       string // why it keeps its server connection, "" when it does not
	Pinnings   int    // how often it was pinned
	Held       bool   // waits because of a hold
	Cancelling bool   // a cancel request for it is under way

	// Of a server connection.
	ProcessID uint32
	Busy      bool // usher itself is using it
	Old       bool // closes as soon as it is free
	Cancels   int  // cancel requests that may still hit it
}

// Clients lists every client.
func (r *Relay) Clients(ctx context.Context) []ConnView {
	var views []ConnView
	r.survey(ctx, func(c *client, _ *server) {
		if c != nil {
			views = append(views, c.view())
		}
	})
	return views
}

// Servers lists every server connection.
func (r *Relay) Servers(ctx context.Context) []ConnView {
	var views []ConnView
	r.survey(ctx, func(_ *client, s *server) {
		if s != nil {
			views = append(views, s.view())
		}
	})
	return views
}

func (c *conn) view() ConnView {
	v := ConnView{
		Descriptor: c.fd, Loop: c.loop.index, Unsent: c.pending(), Unread: c.left, Stashed: len(c.stash),
	}
	if c.secure != nil {
		v.TLS = describeTLS(c.secure.tls.ConnectionState())
	}
	return v
}

func (c *client) view() ConnView {
	v := c.conn.view()
	v.ID, v.Place, v.Pool = c.id, c.place.String(), c.pool
	v.Remote, v.Local = c.remote, c.local
	v.Connected, v.Requested = c.seated, c.since
	v.Lane, v.Pins, v.Pinnings = c.lane.String(), c.tracker.Pins().String(), int(c.pinnings)
	v.Application, _ = c.tracker.Settings().Value("application_name")
	v.Statements = c.names.Len()
	if c.replicating {
		v.Pins = "replication"
	}
	if c.place == clientWaiting {
		v.Wait = c.loop.now - c.since
		v.Held = c.pool.held.Load()
	}
	if c.server != nil {
		v.Link = c.server.id
		v.Cancelling = c.server.cancels > 0
	}
	return v
}

func (s *server) view() ConnView {
	v := s.conn.view()
	v.ID, v.Place, v.Pool = s.id, s.place.String(), s.pool
	v.Remote, v.Local = s.handle.Carrier.RemoteAddr(), s.handle.Carrier.LocalAddr()
	v.Connected, v.Requested = s.opened, s.began
	v.ProcessID, v.Busy, v.Cancels = s.handle.ProcessID, s.task != taskNone, s.cancels
	v.Application, _ = s.settings.Value("application_name")
	v.Statements = s.cache.Len()
	v.Old = s.resource != nil && s.resource.Epoch() < s.pool.engine.Epoch()
	if s.client != nil {
		v.Link = s.client.id
	}
	return v
}

// PoolView is what can be seen of a pool besides Pool.Stat.
type PoolView struct {
	Counters Counters
	Clients  map[string]int    // by place
	Servers  map[string]int    // by place
	Pins     map[string]uint64 // clients ever pinned, by reason
	Pinned   int               // clients pinned now

	// Statements are how long statements took, by lane: from when a request was read to its ReadyForQuery, the wait
	// for a server connection included. Nil for a lane that has had none.
	Statements [engine.Lanes]*engine.Histogram
}

// Pools looks at every pool that has been added and not removed.
func (r *Relay) Pools(ctx context.Context) map[*Pool]*PoolView {
	views := map[*Pool]*PoolView{}
	r.mutex.Lock()
	for _, p := range r.pools {
		views[p] = &PoolView{Clients: map[string]int{}, Servers: map[string]int{}, Pins: map[string]uint64{}}
	}
	r.mutex.Unlock()
	r.survey(ctx, func(c *client, s *server) {
		switch {
		case c != nil && views[c.pool] != nil:
			v := views[c.pool]
			v.Clients[c.place.String()]++
			if c.tracker.Pins() != 0 || c.replicating {
				v.Pinned++
			}
		case s != nil && views[s.pool] != nil:
			views[s.pool].Servers[s.place.String()]++
		}
	})
	for _, l := range r.loops {
		l.ask(ctx, func() {
			for p, v := range views {
				p.counters[l.index].addTo(v)
			}
		})
	}
	return views
}

// LoopView is what can be seen of a loop.
type LoopView struct {
	Clients, Servers int
	Kept             int // bytes of buffers kept for use
}

// Loops looks at every loop.
func (r *Relay) Loops(ctx context.Context) []LoopView {
	views := make([]LoopView, len(r.loops))
	for i, l := range r.loops {
		l.ask(ctx, func() {
			for p := clientIdle; p < clientGone; p++ {
				views[i].Clients += l.clients[p]
			}
			for p := serverIdle; p < serverGone; p++ {
				views[i].Servers += l.servers[p]
			}
			views[i].Kept = l.chunks.kept
		})
	}
	return views
}

// Reported is what server connections of the pool report at their start; nil before the first.
func (p *Pool) Reported() []wire.Param {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.params
}

// LastError is why the latest attempt to open a server connection failed; nil if it did not.
func (p *Pool) LastError() error { return p.lastFailure() }

// Seated is how many clients the pool has.
func (p *Pool) Seated() int { return int(p.clients.Load()) }

// Held reports whether the pool is paused or on hold.
func (p *Pool) Held() bool { return p.held.Load() }

// Counters are a pool's totals since it was made.
type Counters struct {
	Assignments  uint64
	Transactions uint64
	Queries      uint64
	Received     uint64 // bytes from clients
	Sent         uint64 // bytes to clients
	InTransact   time.Duration
	InQuery      time.Duration
	Waited       time.Duration
	ClientParses uint64
	ServerParses uint64
	Binds        uint64
	Logins       uint64
	LanesLowered uint64 // requests that asked for a lane above their client's grant, and got a lower one
	LanesRefused uint64 // or were refused
	IdleEnded    uint64 // clients ended for a critical request
}

func describeTLS(state tls.ConnectionState) string {
	return tls.VersionName(state.Version) + "/" + tls.CipherSuiteName(state.CipherSuite)
}
