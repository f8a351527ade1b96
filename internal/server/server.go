package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/usher-pg/usher/internal/brain"
	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/keda"
	"github.com/usher-pg/usher/internal/login"
	"github.com/usher-pg/usher/internal/metrics"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/relay"
	"github.com/usher-pg/usher/internal/routing"
	"github.com/usher-pg/usher/internal/watch"
	"github.com/usher-pg/usher/internal/web"
)

// Options are what a Server is made of.
type Options struct {
	Config *config.Config
	// ConfigPath is the file that a reload reads; empty if there is none.
	ConfigPath string
	Version    string
	Log        *Log

	// Folder is where the history and copies of calendars are kept if the configuration does not say; empty: nowhere.
	Folder string
	// Clock is the brain's. Tests drive their own.
	Clock brain.Clock

	// DrainLimit bounds how long a shutdown waits for clients and servers; 0 is no bound.
	DrainLimit time.Duration
}

// Server is usher.
type Server struct {
	options Options
	log     *Log
	started time.Time
	ready   chan struct{} // closed when clients can connect

	relay    *relay.Relay
	routes   *routing.Table
	orders   *orders
	consoles *consoles
	counts   *counts
	web      *web.Server
	keda     *keda.Server

	settings atomic.Pointer[routing.Settings]
	wish     chan struct{} // gets a value when a shutdown has been ordered
	turn     chan struct{} // holds a value while an order is on its way to the pools

	// reloading lets one reload run at a time. It reads files under it, which is why nobody else waits for it.
	reloading sync.Mutex
	warmer    warmer

	watch *watch.Watch
	brain *brain.Brain

	// mutex guards what follows.
	mutex  sync.Mutex
	doors  []*door
	logins *stage // that the doors are part of
	shut   bool   // no door is opened any more
}

// New makes a Server. It reads the files that the configuration names, and opens nothing.
func New(options Options) (*Server, error) {
	c := options.Config
	loaded, err := routing.Load(c, nil)
	if err != nil {
		return nil, err
	}
	s := &Server{
		options: options, log: options.Log, started: time.Now(),
		ready: make(chan struct{}), wish: make(chan struct{}, 1), turn: make(chan struct{}, 1),
		orders: newOrders(),
	}
	s.settings.Store(loaded)
	s.relay, err = relay.New(relay.Config{
		Loops:   c.Loops,
		Limits:  relay.Limits{Message: int(c.Limits.MaxMessageSize), Clients: c.Limits.MaxClients},
		Batches: c.IOUring == config.Auto,
		Log:     s.log.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("make the relay: %w", err)
	}
	s.routes = routing.New(s.relay, s.orders.paused, loaded)
	s.watch = watch.New(s.relay, s.routes, s.inForce, s.log.Logger)
	s.brain = s.newBrain()
	s.counts = newCounts(s.started)
	return s, nil
}

// inForce is the configuration as it is now.
func (s *Server) inForce() *config.Config { return s.settings.Load().Config }

// Ready is closed when clients can connect.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// stage is a part of usher that ends before the next one does. The first error of one of its goroutines ends
// it.
type stage struct {
	group *errgroup.Group
	ctx   context.Context
	stop  context.CancelFunc
}

func newStage(ctx context.Context) *stage {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	group, ctx := errgroup.WithContext(ctx)
	return &stage{group, ctx, stop}
}

// run runs a component as part of the stage.
func (g *stage) run(component func(context.Context) error) {
	g.group.Go(func() error { return component(g.ctx) })
}

// end ends the stage and returns when it has ended.
func (g *stage) end() error {
	g.stop()
	return g.group.Wait()
}

// Run runs usher until a shutdown has been ordered and carried out, or ctx ends, which is a shutdown at once,
// or a part of it fails.
func (s *Server) Run(ctx context.Context) error {
	data, services, logins := newStage(ctx), newStage(ctx), newStage(ctx)
	s.logins = logins
	s.consoles = &consoles{ctl: s, log: s.log.Logger, ctx: services.ctx, byID: map[uint32]*consoleClient{}}
	data.run(s.relay.Run)
	doors, err := s.listen(ctx)
	if err == nil {
		services.run(s.keepUp)
		services.run(s.watch.Run)
		services.run(s.brain.Run)
		if s.web != nil {
			services.run(s.web.Run)
		}
		if s.keda != nil {
			services.run(s.keda.Run)
		}
		s.begin(doors)
		close(s.ready)
		s.awaitEnd(ctx, services, data)
	}
	// Nobody comes in any more, then nobody gives orders, then the clients are told and go.
	s.shutDoors()
	err = errors.Join(err, logins.end())
	services.stop()
	s.consoles.wait.Wait()
	err = errors.Join(err, services.end(), data.end())
	s.reloading.Lock()
	s.warmer.end()
	s.reloading.Unlock()
	if err == nil {
		s.log.Info("usher has ended")
	}
	return err
}

// begin lets clients in.
func (s *Server) begin(doors []*door) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	now := s.settings.Load()
	s.warmer.warm(now.Config, now.Users)
	s.routes.MakeNamed()
	s.letIn(doors)
}

// listen opens the listeners, for clients, for HTTP and for KEDA.
func (s *Server) listen(ctx context.Context) ([]*door, error) {
	now := s.settings.Load()
	doors, err := s.hang(ctx, now.Config.Listen, now)
	if err != nil {
		return nil, err
	}
	http, err := listenTCP(ctx, "HTTP", now.Config.HTTP)
	if err != nil {
		takeDown(doors)
		return nil, err
	}
	scaler, err := listenTCP(ctx, "KEDA", now.Config.KEDA)
	if err != nil {
		takeDown(doors)
		if http != nil {
			_ = http.Close()
		}
		return nil, err
	}
	if http != nil {
		s.web = web.New(web.Config{
			Listener: http, Source: s, Foresees: s.brain, Metrics: s.metrics(), Log: s.log.Logger, Operator: s,
			Token: s.adminToken,
		})
	}
	if scaler != nil {
		s.keda = keda.New(keda.Config{Listener: scaler, Source: s.brain, Log: s.log.Logger})
	}
	return doors, nil
}

// listenTCP opens a listener, or none without an address.
func listenTCP(ctx context.Context, who, address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", who, err)
	}
	return listener, nil
}

// adminToken is what orders over HTTP must bring.
func (s *Server) adminToken() string { return string(s.settings.Load().Config.HTTPAdminToken) }

func (s *Server) metrics() http.Handler { return metrics.Handler(s, s.log.Logger) }

// cancel carries out a client's cancel request.
func (s *Server) cancel(ctx context.Context, processID uint32, secret []byte) {
	s.counts.cancels.Add(1)
	if !s.consoles.cancel(processID, secret) {
		s.relay.Cancel(ctx, processID, secret)
	}
}

// admit counts a client that has said who it is.
func (s *Server) admit(*login.Client) *pgerr.Error {
	s.counts.accepted.Add(1)
	if s.orders.ending() != "" {
		return pgerr.ShuttingDown.With()
	}
	return nil
}

var (
	_ login.Seating = (*Server)(nil)
	_ login.Prompt  = (*Server)(nil)
)
