package loadtest

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Options are what a load test is told.
type Options struct {
	Clients   int           // connections
	Pool      int           // server connections
	Reserve   int           // further ones for emergencies
	Objective time.Duration // what acquisitions must stay below at the 99th percentile
	Work      string        // what a request does; see workOf
	Simple    bool          // by the simple protocol
	Phases    []string      // to run; empty: all
	TimeScale float64       // of the phases' lengths
	Seed      uint64
	DSN       string // of a PostgreSQL to use; empty: a private one
	Compare   string // another pooler to measure beside usher: "pgbouncer", or nothing
	Out       string // folder for the report

	Program  string // usher
	Version  string // of usher
	Stdout   io.Writer
	Progress io.Writer // where a progress bar is drawn; nil: lines on Stdout instead
}

// Defaults are the options of a run that is to convince somebody.
func Defaults() Options {
	return Options{
		Clients: 10_000, Pool: 40, Reserve: 8, Objective: 10 * time.Millisecond,
		Work: "wait:10ms", TimeScale: 1, Seed: 1, Out: ".",
	}
}

// Quick makes a run of well under a minute of it, to see that everything is in place. It proves little.
func (o *Options) Quick() {
	o.Clients, o.Pool, o.Reserve, o.TimeScale = 400, 10, 4, 0.05
}

// Limits of the options; ours.
const (
	minClients   = 40 // so that each lane has some
	maxClients   = 200_000
	maxPool      = 1000
	maxTimeScale = 100
	minTimeScale = 0.01
)

// Check says what is wrong with them.
func (o *Options) Check() error {
	switch {
	case o.Clients < minClients || o.Clients > maxClients:
		return fmt.Errorf("%d clients, want %d to %d", o.Clients, minClients, maxClients)
	case o.Pool < 1 || o.Pool > maxPool || o.Reserve < 1 || o.Reserve > maxPool:
		return fmt.Errorf("a pool of %d and a reserve of %d, want 1 to %d each", o.Pool, o.Reserve, maxPool)
	case o.Pool > seatsOf(o.Clients)[laneNormal]:
		return fmt.Errorf("a pool of %d, but only %d of %d clients are of lane normal", o.Pool,
			seatsOf(o.Clients)[laneNormal], o.Clients)
	case o.Objective <= 0:
		return errors.New("the objective must be more than nothing")
	case o.TimeScale < minTimeScale || o.TimeScale > maxTimeScale:
		return fmt.Errorf("a time scale of %v, want %v to %v", o.TimeScale, minTimeScale, maxTimeScale)
	case o.Compare != "" && o.Compare != pgbouncerName:
		return fmt.Errorf("cannot compare with %q: want %s", o.Compare, pgbouncerName)
	}
	for _, name := range o.Phases {
		if !slices.Contains(PhaseNames(), name) {
			return fmt.Errorf("there is no phase %q: want some of %s", name, strings.Join(PhaseNames(), ", "))
		}
	}
	if o.DSN != "" {
		u, err := url.Parse(o.DSN)
		if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" { // err may hold the password
			return errors.New("the DSN must be a URL: postgres://user:password@host:port/database")
		}
		if u.User.Username() == "" {
			return errors.New("the DSN must name its user: clients log in to the pooler as somebody else")
		}
	}
	_, err := workOf(o.Work, false, false)
	return err
}

func (o *Options) wants(phase string) bool {
	return len(o.Phases) == 0 || slices.Contains(o.Phases, phase)
}

// platform says what usher was built for.
func platform() string {
	return fmt.Sprintf("%s/%s, %s", runtime.GOOS, runtime.GOARCH, runtime.Version())
}
