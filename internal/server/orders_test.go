package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/usher-pg/usher/internal/status"
)

// orderStep gives an order, and says what is refused and what is the case afterwards.
type orderStep struct {
	name   string
	give   func(*orders) error
	want   error
	state  status.State
	paused string // which of the databases a and b are paused
}

func pausing(db string) func(*orders) error { return func(o *orders) error { return o.pause(db) } }

func resuming(db string) func(*orders) error {
	return func(o *orders) error {
		_, err := o.resume(db)
		return err
	}
}

func ending(m status.ShutdownMode) func(*orders) error {
	return func(o *orders) error { return o.shutDown(m) }
}

var oneOfAll = status.Refuse(status.WrongState, "")

var orderSteps = map[string][]orderStep{
	"all": {
		{"resume what runs", resuming(""), status.ErrNotPaused, status.Active, ""},
		{"pause", pausing(""), nil, status.Paused, "ab"},
		{"pause again", pausing(""), status.ErrAlreadyPaused, status.Paused, "ab"},
		{"pause one of all", pausing("a"), status.ErrAlreadyPaused, status.Paused, "ab"},
		{"resume one of all", resuming("a"), oneOfAll, status.Paused, "ab"},
		{"suspend what is paused", (*orders).suspend, status.ErrAlreadyPaused, status.Paused, "ab"},
		{"resume", resuming(""), nil, status.Active, ""},
	},
	"one": {
		{"resume one that runs", resuming("a"), status.PoolNotPaused("a"), status.Active, ""},
		{"pause one", pausing("a"), nil, status.Active, "a"},
		{"pause it again", pausing("a"), nil, status.Active, "a"},
		{"resume another", resuming("b"), status.PoolNotPaused("b"), status.Active, "a"},
		{"suspend beside a paused one", (*orders).suspend, status.ErrPausedPools, status.Active, "a"},
		{"resume it", resuming("a"), nil, status.Active, ""},
		{"pause another", pausing("b"), nil, status.Active, "b"},
		{"resume all", resuming(""), nil, status.Active, ""},
	},
	"suspend": {
		{"suspend", (*orders).suspend, nil, status.Suspended, ""},
		{"suspend again", (*orders).suspend, status.ErrAlreadyPaused, status.Suspended, ""},
		{"pause", pausing("a"), status.ErrAlreadyPaused, status.Suspended, ""},
		{"resume", resuming(""), nil, status.Active, ""},
	},
	"shutdown": {
		{"pause one", pausing("a"), nil, status.Active, "a"},
		{"for clients", ending(status.ShutdownWaitForClients), nil, status.ShuttingDown, "a"},
		{"again", ending(status.ShutdownWaitForClients), status.ErrShuttingDown, status.ShuttingDown, "a"},
		{"pause", pausing(""), status.ErrShuttingDown, status.ShuttingDown, "a"},
		{"suspend", (*orders).suspend, status.ErrShuttingDown, status.ShuttingDown, "a"},
		{"let those who are held go", resuming("a"), nil, status.ShuttingDown, ""},
		{"for servers", ending(status.ShutdownWaitForServers), nil, status.ShuttingDown, ""},
		{"resume", resuming(""), status.ErrShuttingDown, status.ShuttingDown, ""},
		{"slower", ending(status.ShutdownWaitForClients), status.ErrShuttingDown, status.ShuttingDown, ""},
		{"at once", ending(status.ShutdownImmediate), nil, status.ShuttingDown, ""},
		{"at once again", ending(status.ShutdownImmediate), nil, status.ShuttingDown, ""},
	},
}

func TestOrders(t *testing.T) {
	t.Parallel()
	for name, steps := range orderSteps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrders()
			for _, s := range steps {
				if err := s.give(o); !sameRefusal(err, s.want) {
					t.Errorf("%s: error %v, want %v", s.name, err, s.want)
				}
				paused := ""
				for _, db := range []string{"a", "b"} {
					if o.paused(db) {
						paused += db
					}
				}
				if o.state() != s.state || paused != s.paused {
					t.Errorf("%s: %s and %q paused, want %s and %q",
						s.name, o.state(), paused, s.state, s.paused)
				}
			}
		})
	}
}

func sameRefusal(got, want error) bool {
	g, ok := errors.AsType[*status.Refusal](got)
	w, wanted := errors.AsType[*status.Refusal](want)
	return ok == wanted && (!ok || g.Cause == w.Cause && (w.Text == "" || g.Text == w.Text))
}

func TestNewcomersWaitDuringASuspension(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOrders()
		if err := o.awaitUnsuspended(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := o.suspend(); err != nil {
			t.Fatal(err)
		}
		impatient, cancel := context.WithCancel(t.Context())
		cancel()
		if err := o.awaitUnsuspended(impatient); !errors.Is(err, context.Canceled) {
			t.Errorf("a client whose time is up: %v", err)
		}
		seated := false
		go func() {
			_ = o.awaitUnsuspended(t.Context())
			seated = true
		}()
		synctest.Wait()
		if seated {
			t.Error("a client came in during a suspension")
		}
		if was, err := o.resume(""); !was || err != nil {
			t.Errorf("resume: %v, %v", was, err)
		}
		synctest.Wait()
		if !seated {
			t.Error("the client still waits")
		}
	})
}
