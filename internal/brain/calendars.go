package brain

import (
	"cmp"
	"context"
	"iter"
	"log/slog"
	"maps"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/calendar/feed"
	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/past"
	"github.com/usher-pg/usher/internal/status"
)

// watchCalendars is how often it is looked whether one has changed.
const watchCalendars = 5 * time.Second

// calendars are the feeds of the configuration, and what they listed before.
type calendars struct {
	folder  string
	log     *slog.Logger
	now     func() time.Time
	changed func() // there are other events
	over    func() // some have ended
	again   chan struct{}

	// mutex guards what follows.
	mutex   sync.Mutex
	running map[string]*running // by name
	// known is what took place, and complete that what the history has of it was read.
	known    past.Events
	complete bool
}

// running is a feed at work.
type running struct {
	wanted config.Calendar
	config feed.Config
	feed   *feed.Feed
	stop   context.CancelFunc
	ended  chan struct{}

	lately past.Listing
	told   []string // causes of the alarm that is; none: there is no alarm
}

func newCalendars(folder string, log *slog.Logger, now func() time.Time, changed, over func()) *calendars {
	return &calendars{
		folder: folder, log: log, now: now, changed: changed, over: over, again: make(chan struct{}, 1),
		running: map[string]*running{},
	}
}

func (c *calendars) reconfigured() {
	signal(c.again)
}

// Run keeps the feeds of the configuration going until ctx ends.
func (c *calendars) Run(ctx context.Context, inForce func() *config.Config) error {
	ticker := time.NewTicker(watchCalendars)
	defer ticker.Stop()
	defer c.adopt(ctx, nil)
	c.adopt(ctx, inForce())
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.again:
			c.adopt(ctx, inForce())
		case <-ticker.C:
			c.watch()
		}
	}
}

// adopt starts the feeds that are new, and ends those that are gone or changed. A nil configuration ends all.
func (c *calendars) adopt(ctx context.Context, inForce *config.Config) {
	wanted := map[string]feed.Config{}
	of := map[string]config.Calendar{}
	if inForce != nil {
		for _, calendar := range inForce.Calendars {
			wanted[calendar.Name] = feedConfig(c.folder, inForce, &calendar)
			of[calendar.Name] = calendar
		}
	}
	c.mutex.Lock()
	var ending []*running
	for name, r := range c.running {
		if now, ok := wanted[name]; ok && reflect.DeepEqual(now, r.config) {
			r.wanted = of[name]
			delete(wanted, name)
			continue
		}
		ending = append(ending, r)
		delete(c.running, name)
	}
	c.mutex.Unlock()
	for _, r := range ending {
		r.stop()
		<-r.ended
	}
	for name, config := range wanted {
		c.start(ctx, of[name], config)
	}
	c.changed() // also by other guests or pools of a feed that goes on
}

func (c *calendars) start(ctx context.Context, wanted config.Calendar, config feed.Config) {
	f, err := feed.New(config)
	if err != nil {
		c.log.Error("calendar cannot be read", "calendar", wanted.Name, "error", err)
		return
	}
	ctx, stop := context.WithCancel(ctx)
	r := &running{wanted: wanted, config: config, feed: f, stop: stop, ended: make(chan struct{})}
	// What it listed before usher was started: some of it may be over since, and not in what is fetched now.
	f.Restore()
	events, state := f.Look()
	r.lately.Look(events, state.Copy, c.now())
	go func() {
		defer close(r.ended)
		_ = f.Run(ctx) // it ends with the context, and only then
	}()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.running[wanted.Name] = r
}

// watch tells when events have changed or ended, and logs alarms as they come and go.
func (c *calendars) watch() {
	notices, changed, over := c.look(c.now())
	for _, n := range notices {
		n.write(c.log)
	}
	if changed {
		c.changed()
	}
	if over {
		c.over()
	}
}

// look finds what is different since the last look.
func (c *calendars) look(now time.Time) (notices []notice, changed, over bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, r := range c.running {
		events, state := r.feed.Look()
		other, ended := r.lately.Look(events, state.Copy, now)
		changed, over = changed || other, over || ended
		if r.news(&state) {
			notices = append(notices, notice(state))
		}
	}
	return notices, changed, over
}

// feedConfig is a calendar of the configuration as a feed takes it. folder is where copies are kept; "": nowhere.
func feedConfig(folder string, inForce *config.Config, from *config.Calendar) feed.Config {
	f := feed.Defaults()
	f.Name, f.Kind, f.File, f.URL, f.Query = from.Name, from.Kind, from.File, string(from.URL), from.Query
	f.Zone, f.Every, f.Past = loadZone(cmp.Or(from.Timezone, inForce.Timezone)), from.Poll, past.Reach
	f.Format = map[config.CalendarFormat]calendar.Format{
		config.FormatICal: calendar.ICalendar, config.FormatCSV: calendar.CSV, config.FormatYAML: calendar.YAML,
	}[from.Format]
	if from.Query != "" {
		p, _ := inForce.Pool(from.Database)
		f.DSN = dsn(&p)
	}
	if folder != "" && from.File == "" {
		f.Keep = filepath.Join(folder, "usher-calendar-"+url.PathEscape(from.Name))
	}
	return f
}

// dsn is how the calendar's own connection reaches a pool's database.
func dsn(p *config.Pool) string {
	u := url.URL{Scheme: "postgres", Path: "/" + p.Target.Database, User: url.User(p.User)}
	if p.Password != "" {
		u.User = url.UserPassword(p.User, string(p.Password))
	}
	values := url.Values{
		"host": {p.Target.Host}, "port": {strconv.Itoa(p.Target.Port)}, "sslmode": {string(p.TLS.SSLMode)},
		"application_name": {"usher calendar"},
	}
	for name, path := range map[string]string{"sslrootcert": p.TLS.CA, "sslcert": p.TLS.Cert, "sslkey": p.TLS.Key} {
		if path != "" {
			values.Set(name, path)
		}
	}
	u.RawQuery = values.Encode()
	return u.String()
}

// events are those that bring load to a pool of the configuration; "": all. They are what calendars list, and what took
// place and is not listed any more.
func (c *calendars) events(pool string, now time.Time) []calendar.Event {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var all []calendar.Event
	for _, name := range slices.Sorted(maps.Keys(c.running)) {
		r := c.running[name]
		if concerns(&r.wanted, pool) {
			listed := r.feed.Events()
			all = appendEvents(all, listed.All(), &r.wanted)
			all = appendEvents(all, c.known.Unlisted(name, &r.lately, listed, now), &r.wanted)
		}
	}
	return all
}

// concerns reports whether a calendar brings load to a pool of the configuration; "" is any.
func concerns(c *config.Calendar, pool string) bool {
	return pool == "" || len(c.Pools) == 0 || slices.Contains(c.Pools, pool)
}

// appendEvents adds a calendar's events, with its guests where nobody has said how many.
func appendEvents(all []calendar.Event, events iter.Seq[calendar.Event], c *config.Calendar) []calendar.Event {
	for e := range events {
		if e.Guests == 0 {
			e.Guests = float64(c.Guests)
		}
		all = append(all, e)
	}
	return all
}

// states are how the feeds are, by name.
func (c *calendars) states(now time.Time) []status.Calendar {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var states []status.Calendar
	for _, name := range slices.Sorted(maps.Keys(c.running)) {
		r := c.running[name]
		listed, state := r.feed.Look()
		shown := shownCalendar(&state)
		for range c.known.Unlisted(name, &r.lately, listed, now) {
			shown.Remembered++
		}
		states = append(states, shown)
	}
	return states
}
