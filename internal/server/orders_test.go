package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/usher-pg/usher/internal/status"
)

// TestOrders goes through orders one after the other; each row says what is refused and what is the case afterwards.
func TestOrders(t *testing.T) {
	t.Parallel()
	pause := func(db string) func(*orders) error { return func(o *orders) error { return o.pause(db) } }
	resume := func(db string) func(*orders) error {
		return func(o *orders) error {
			_, err := o.resume(db)
			return err
		}
	}
	shutdown := func(m status.ShutdownMode) func(*orders) error {
		return func(o *orders) error { return o.shutDown(m) }
	}
	type step struct {
		name   string
		give   func(*orders) error
		want   error
		state  status.State
		paused string // which of the databases a and b are paused
	}
	for name, steps := range map[string][]step{
		"all": {
			{"resume what runs", resume(""), status.ErrNotPaused, status.Active, ""},
			{"pause", pause(""), nil, status.Paused, "ab"},
			{"pause again", pause(""), status.ErrAlreadyPaused, status.Paused, "ab"},
			{"pause one of all", pause("a"), status.ErrAlreadyPaused, status.Paused, "ab"},
			{"resume one of all", resume("a"), status.Refuse(status.WrongState, ""), status.Paused, "ab"},
			{"suspend what is paused", (*orders).suspend, status.ErrAlreadyPaused, status.Paused, "ab"},
			{"resume", resume(""), nil, status.Active, ""},
		},
		"one": {
			{"resume one that runs", resume("a"), status.PoolNotPaused("a"), status.Active, ""},
			{"pause one", pause("a"), nil, status.Active, "a"},
			{"pause it again", pause("a"), nil, status.Active, "a"},
			{"resume another", resume("b"), status.PoolNotPaused("b"), status.Active, "a"},
			{"suspend beside a paused one", (*orders).suspend, status.ErrPausedPools, status.Active, "a"},
			{"resume it", resume("a"), nil, status.Active, ""},
			{"pause both", pause("b"), nil, status.Active, "b"},
			{"resume all", resume(""), nil, status.Active, ""},
		},
		"suspend": {
			{"suspend", (*orders).suspend, nil, status.Suspended, ""},
			{"suspend again", (*orders).suspend, status.ErrAlreadyPaused, status.Suspended, ""},
			{"pause", pause("a"), status.ErrAlreadyPaused, status.Suspended, ""},
			{"resume", resume(""), nil, status.Active, ""},
		},
		"shutdown": {
			{"pause one", pause("a"), nil, status.Active, "a"},
			{"for clients", shutdown(status.ShutdownWaitForClients), nil, status.ShuttingDown, "a"},
			{"again", shutdown(status.ShutdownWaitForClients), status.ErrShuttingDown, status.ShuttingDown, "a"},
			{"pause", pause(""), status.ErrShuttingDown, status.ShuttingDown, "a"},
			{"resume", resume(""), status.ErrShuttingDown, status.ShuttingDown, "a"},
			{"suspend", (*orders).suspend, status.ErrShuttingDown, status.ShuttingDown, "a"},
			{"for servers", shutdown(status.ShutdownWaitForServers), nil, status.ShuttingDown, "a"},
			{"slower", shutdown(status.ShutdownWaitForClients), status.ErrShuttingDown, status.ShuttingDown, "a"},
			{"at once", shutdown(status.ShutdownImmediate), nil, status.ShuttingDown, "a"},
			{"at once again", shutdown(status.ShutdownImmediate), nil, status.ShuttingDown, "a"},
		},
	} {
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
					t.Errorf("%s: %s and %q paused, want %s and %q", s.name, o.state(), paused, s.state, s.paused)
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
