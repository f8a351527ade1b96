package feed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
)

// State is how a feed is.
type State struct {
	Name  string `json:"name"`
	Place string `json:"place"` // without secrets

	// Attempt is when it was last fetched, Success when that last worked, Copy when the copy in use was fetched or the
	// server last said that it is the newest. Zero: never.
	Attempt time.Time     `json:"attempt"`
	Success time.Time     `json:"success"`
	Copy    time.Time     `json:"copy"`
	Age     time.Duration `json:"age"` // of the copy

	// Error is why the last fetch did not work, Doubt why the newest copy is not believed, Keeping why none is kept on
	// disk or the kept one cannot be used. Each "" when all is well.
	Error   string `json:"error,omitempty"`
	Doubt   string `json:"doubt,omitempty"`
	Keeping string `json:"keeping,omitempty"`
	// Stale is that the copy is so old that somebody should look.
	Stale bool `json:"stale"`

	// Events is how many there are in the time of interest, and Problems what of the copy could not be read, of which
	// there are More.
	Events   int                `json:"events"`
	Problems []calendar.Problem `json:"problems,omitempty"`
	More     int                `json:"more_problems,omitempty"`
}

// Alarm is what somebody should look at, or "".
func (s State) Alarm() string {
	switch {
	case s.Copy.IsZero() && s.Error != "":
		return "calendar " + s.Name + " was never read: " + s.Error
	case s.Doubt != "":
		return "calendar " + s.Name + " has suddenly shrunk: " + s.Doubt
	case s.Stale && s.Error != "":
		return fmt.Sprintf("calendar %s is %v old: %s", s.Name, s.Age.Round(time.Second), s.Error)
	case s.Stale:
		return fmt.Sprintf("calendar %s is %v old", s.Name, s.Age.Round(time.Second))
	}
	return ""
}

// Feed is a calendar that is fetched again and again. Its events and state may be asked for by many at once, which does
// no input or output.
type Feed struct {
	config Config
	now    atomic.Pointer[snapshot]

	// What Run alone uses, and Restore before it.
	restored bool
	good     edition // data is nil: there is none
	judge    judge
	state    State
	reading  calendar.Reading // of good
}

// snapshot is what readers see.
type snapshot struct {
	events *calendar.Set
	state  State
}

// New makes a feed. It does nothing before Run.
func New(c Config) (*Feed, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	c = c.filled()
	f := &Feed{
		config: c,
		judge:  judge{shrunk: c.Shrunk, believe: c.Believe, ahead: c.Ahead},
		state:  State{Name: c.Name, Place: c.Place()},
	}
	f.now.Store(&snapshot{calendar.NewSet(), f.state})
	return f, nil
}

// Events are those of the last good copy, within the time that is of interest. Never nil.
func (f *Feed) Events() *calendar.Set { return f.now.Load().events }

// State is how the feed is now.
func (f *Feed) State() State {
	_, s := f.Look()
	return s
}

// Look is Events and State of one moment.
func (f *Feed) Look() (*calendar.Set, State) {
	now := f.now.Load()
	s := now.state
	if !s.Copy.IsZero() {
		s.Age = max(time.Since(s.Copy), 0)
	}
	s.Stale = s.Age > f.config.Stale
	return now.events, s
}

// Restore begins with what is kept on disk, so that it can be seen before there is anything newer. Run does so unless
// it was done before.
func (f *Feed) Restore() {
	f.restored = true
	f.restore(time.Now())
}

// Run fetches the calendar at once and then again and again, until ctx is done. It begins with what is kept on disk.
func (f *Feed) Run(ctx context.Context) error {
	if !f.restored {
		f.Restore()
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		f.poll(ctx)
		timer.Reset(around(f.config.Every))
	}
}

// around is a time give or take a tenth, so that many ushers do not fetch at once.
func around(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64()))
}

// restore begins with the kept copy.
func (f *Feed) restore(now time.Time) {
	if f.config.Keep == "" {
		return
	}
	e, err := f.config.load(now)
	if err == nil {
		var reading calendar.Reading
		if reading, err = calendar.Read(e.Format, e.data, f.config.options(now)); err == nil {
			f.good, f.reading = e, reading
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.state.Keeping = err.Error()
	}
	f.publish()
}

// poll fetches the calendar once.
func (f *Feed) poll(ctx context.Context) {
	next, err := f.config.fetch(ctx, f.good)
	if ctx.Err() != nil {
		return // usher is being stopped, which is no fault of the feed
	}
	now := time.Now()
	f.refresh(now)
	f.take(next, err, now)
}

// take is what becomes of a fetch.
func (f *Feed) take(next edition, err error, now time.Time) {
	f.state.Attempt = now
	switch {
	case errors.Is(err, errSame):
		f.judge.forget()
		f.good.Fetched = now
		f.state.Success, f.state.Error, f.state.Doubt = now, "", ""
	case err != nil:
		f.state.Error = err.Error()
	default:
		next.Fetched = now
		f.consider(next, now)
	}
	f.publish()
}

// consider reads an edition, and takes it when it is one to be believed.
func (f *Feed) consider(next edition, now time.Time) {
	if f.good.data != nil && next.Format == f.good.Format && bytes.Equal(next.data, f.good.data) {
		f.judge.forget()
		f.good = next
		f.state.Success, f.state.Error, f.state.Doubt = now, "", ""
		return
	}
	reading, err := calendar.Read(next.Format, next.data, f.config.options(now))
	if err != nil {
		f.state.Error = "what it gives " + err.Error()
		return
	}
	f.state.Success, f.state.Error, f.state.Doubt = now, "", ""
	if f.good.data != nil {
		f.state.Doubt = f.judge.doubt(calendar.NewSet(f.reading.Events), calendar.NewSet(reading.Events), now)
	}
	if f.state.Doubt != "" {
		return
	}
	f.good, f.reading = next, reading
	if f.config.Keep != "" {
		f.state.Keeping = ""
		if err := f.config.save(next); err != nil {
			f.state.Keeping = err.Error()
		}
	}
}

// refresh reads the good edition as of now: time goes on although nothing is fetched.
func (f *Feed) refresh(now time.Time) {
	if f.good.data == nil {
		return
	}
	reading, err := calendar.Read(f.good.Format, f.good.data, f.config.options(now))
	if err != nil {
		panic("bug: a calendar that was read before is none: " + err.Error())
	}
	f.reading = reading
}

// publish lets readers see what there is.
func (f *Feed) publish() {
	s := f.state
	s.Copy = f.good.Fetched
	s.Events = len(f.reading.Events)
	s.Problems, s.More = slices.Clip(f.reading.Problems), f.reading.More
	events := f.now.Load().events
	if !slices.Equal(slices.Collect(events.All()), f.reading.Events) {
		events = calendar.NewSet(f.reading.Events)
	}
	f.now.Store(&snapshot{events, s})
}
