package brain

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/keeper"
	"github.com/usher-pg/usher/internal/scaler"
)

// Options are what a Brain is made of.
type Options struct {
	// Pools are those there are now, and Config what is in force now. Both are asked often.
	Pools  func() []Pool
	Config func() *config.Config
	// Folder is where the history and copies of calendars are kept if the configuration does not say; "": nowhere.
	Folder string
	Clock  Clock
	Log    *slog.Logger
}

// Clock is what time it is. The zero value is the machine's; tests drive their own.
type Clock struct {
	Now func() time.Time
	// Step is how often pools are looked at, by the machine's clock.
	Step time.Duration
}

// lookStep is how often pools are looked at: often enough for an emergency, and what history takes for whole.
const lookStep = history.Rate

// Brain sees to it that pools have the server connections they will need.
type Brain struct {
	options   Options
	log       *slog.Logger
	keeper    *keeper.Keeper
	calendars *calendars
	// news holds one when forecasts have something new to stand on, routine when time has gone on, over when events have
	// ended.
	news, routine, over chan struct{}

	// forgetful is why events that ended were not remembered, for the foreseeing goroutine alone.
	forgetful string

	// What the observing goroutine alone uses.
	passed   time.Duration // between the last two looks, by the machine's clock
	recorder history.Recorder
	charges  map[string]*charge // by the pool's name
	houses   map[string]*house  // by database server

	// mutex guards shown, and what others have found out or ordered.
	mutex      sync.Mutex
	shown      shown
	outlooks   map[string]*outlook // by the pool's name
	overrides  map[string]override // by database
	shortfalls []scaler.Shortfall
	lessons    map[string]lesson // by database server; none: the history was not asked
}

// New makes a Brain. It opens nothing before Run.
func New(o Options) *Brain {
	if o.Clock.Now == nil {
		o.Clock.Now = time.Now
	}
	if o.Clock.Step == 0 {
		o.Clock.Step = lookStep
	}
	b := &Brain{
		options: o, log: o.Log, passed: o.Clock.Step, news: make(chan struct{}, 1), routine: make(chan struct{}, 1),
		over: make(chan struct{}, 1), charges: map[string]*charge{}, houses: map[string]*house{},
		outlooks: map[string]*outlook{}, overrides: map[string]override{}, lessons: map[string]lesson{},
	}
	b.keeper = keeper.New(keeper.Config{Open: b.openStore, Retention: retention(o.Config())})
	b.calendars = newCalendars(o.Folder, o.Log, b.Now, b.wake, func() { signal(b.over) })
	return b
}

// Run does all of it until ctx ends. Its error is what of the history could not be written at last.
func (b *Brain) Run(ctx context.Context) error {
	parts, ctx := errgroup.WithContext(ctx)
	keeping, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	defer stopKeeping()
	kept := make(chan error, 1)
	go func() { kept <- b.keeper.Run(keeping) }()

	parts.Go(func() error { return b.observe(ctx) })
	parts.Go(func() error { return b.foresee(ctx) })
	parts.Go(func() error { return b.calendars.Run(ctx, b.options.Config) })
	err := parts.Wait()
	stopKeeping() // now that the last buckets are with it
	if lost := <-kept; lost != nil {
		b.log.Error("history incomplete", "error", lost)
	}
	return err
}

// Reconfigured makes the brain look at the configuration again.
func (b *Brain) Reconfigured() {
	b.calendars.reconfigured()
	b.wake()
}

// wake says that forecasts have something new to stand on: an event, a pool, other rules.
func (b *Brain) wake() { signal(b.news) }

func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// Now is what time it is to the brain.
func (b *Brain) Now() time.Time { return b.options.Clock.Now() }
