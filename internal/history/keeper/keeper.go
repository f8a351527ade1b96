package keeper

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/usher-pg/usher/internal/history"
)

const (
	// MostBuckets bounds the queue: 100 pools for three and a half days, 16 MB.
	MostBuckets = 100_000
	// MostRecords and MostRecordBytes bound the queue of forecasts and decisions.
	MostRecords     = 10_000
	MostRecordBytes = 16 << 20
	// MostEvents bounds the queue of events: all that a store keeps, 10 MB.
	MostEvents = history.MostEvents
	// atOnce is how many buckets, and how many events, are written in a transaction.
	atOnce = 1000
	// patience is how long one write may take. SQLite waits five seconds for another writer.
	patience = 20 * time.Second
	// lastPatience is how long the end of usher waits for what is queued.
	lastPatience = 5 * time.Second
	// firstWait and longestWait are between tries while there is trouble.
	firstWait   = time.Second
	longestWait = time.Minute
	// retainFirst is how long after the start old things are looked for, retainEvery how often then, and retainAgain when
	// that has failed.
	retainFirst = 10 * time.Minute
	retainEvery = 24 * time.Hour
	retainAgain = time.Hour
)

// Config is what a keeper needs.
type Config struct {
	// Open opens the store. It is called again after an error, and when the store was damaged.
	Open      func(context.Context) (history.Store, error)
	Retention history.Retention
}

// State is how a keeper is, for alarms.
type State struct {
	Open    bool // there is a store
	Buckets int  // that wait to be written
	Records int  // forecasts, decisions and events that do
	Bytes   int  // of forecasts and decisions

	Written uint64 // buckets and records
	Dropped uint64 // because the queue was full
	Refused uint64 // because no store could ever take them

	Trouble        string    // why nothing is written; "": all is well
	Since          time.Time // when the trouble began
	LastWrite      time.Time
	RetentionError string // why old things were not put together
}

// Keeper writes what it is handed. Its methods never wait for the store and are safe for concurrent use.
type Keeper struct {
	config Config
	wake   chan struct{} // holds one when something was queued

	// mutex guards what follows.
	mutex   sync.Mutex
	store   history.Store // nil: not open
	buckets []bucket      // the oldest first, like records and events
	records []record
	events  []history.Event
	writing struct{ buckets, records int } // are under way to the store and not in the queues
	state   State                          // all but what is counted from the above
}

type bucket struct {
	pool string
	history.Bucket
}

type record struct {
	forecast bool // or a decision
	pool     string
	history.Record
}

// New makes a keeper. It begins to write when it runs.
func New(c Config) *Keeper {
	if c.Open == nil || c.Retention.Check() != nil {
		panic(fmt.Sprintf("bug: a keeper with the retention %+v and nothing to open", c.Retention))
	}
	return &Keeper{config: c, wake: make(chan struct{}, 1)}
}

// Append queues buckets.
func (k *Keeper) Append(pool string, buckets ...history.Bucket) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	for _, b := range buckets {
		if history.CheckAppend(pool, []history.Bucket{b}) != nil {
			k.state.Refused++
			continue
		}
		k.buckets = append(k.buckets, bucket{pool, b})
	}
	k.queuedLocked()
}

// SaveForecast queues a forecast, which is not to be changed after that.
func (k *Keeper) SaveForecast(pool string, issued time.Time, forecast []byte) {
	k.save(record{true, pool, history.Record{At: issued, Content: forecast}})
}

// SaveDecision queues a decision, which is not to be changed after that.
func (k *Keeper) SaveDecision(pool string, at time.Time, decision []byte) {
	k.save(record{false, pool, history.Record{At: at, Content: decision}})
}

// SaveEvents queues events that took place.
func (k *Keeper) SaveEvents(events ...history.Event) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	for i := range events {
		if events[i].Check() != nil {
			k.state.Refused++
			continue
		}
		k.events = append(k.events, events[i])
	}
	k.queuedLocked()
}

func (k *Keeper) save(r record) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if history.CheckRecord(r.pool, r.At, r.Content) != nil {
		k.state.Refused++
		return
	}
	k.records = append(k.records, r)
	k.state.Bytes += len(r.Content)
	k.queuedLocked()
}

// queuedLocked keeps the queues within their bounds and wakes Run.
func (k *Keeper) queuedLocked() {
	if over := len(k.buckets) - MostBuckets; over > 0 {
		k.buckets = k.buckets[over:]
		k.state.Dropped += uint64(over)
	}
	for len(k.records) > MostRecords || k.state.Bytes > MostRecordBytes {
		k.state.Bytes -= len(k.records[0].Content)
		k.records[0] = record{}
		k.records = k.records[1:]
		k.state.Dropped++
	}
	if over := len(k.events) - MostEvents; over > 0 {
		k.events = k.events[over:]
		k.state.Dropped += uint64(over)
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Store is what to read from, if it is open.
func (k *Keeper) Store() (history.Store, bool) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return k.store, k.store != nil
}

// State is how the keeper is.
func (k *Keeper) State() State {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	s := k.state
	s.Open, s.Buckets = k.store != nil, len(k.buckets)+k.writing.buckets
	s.Records = len(k.records) + len(k.events) + k.writing.records
	return s
}

// Run writes until the context ends, and then what is left, if the store takes it soon. The error says what it did not
// take.
func (k *Keeper) Run(ctx context.Context) error {
	wait, retain := firstWait, time.Now().Add(retainFirst)
	for ctx.Err() == nil {
		err := k.work(ctx)
		if err == nil && !time.Now().Before(retain) {
			retain = time.Now().Add(k.retain(ctx))
		}
		k.wait(ctx, err, &wait, retain)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastPatience)
	defer cancel()
	var err error
	if s := k.State(); s.Buckets+s.Records > 0 {
		err = k.work(last)
	}
	if s := k.State(); err != nil {
		err = fmt.Errorf("%d buckets and %d records of the history are lost: %w", s.Buckets, s.Records, err)
	}
	return errors.Join(err, k.closeStore())
}

// wait returns when there is something to do. After an error that is not when there is something new, but later each
// time.
func (k *Keeper) wait(ctx context.Context, err error, wait *time.Duration, retain time.Time) {
	wake, pause := k.wake, time.Until(retain)
	if err != nil {
		wake, pause = nil, *wait
		*wait = min(2**wait, longestWait)
	} else {
		*wait = firstWait
	}
	timer := time.NewTimer(max(pause, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// work opens the store if it is not, and writes what is queued.
func (k *Keeper) work(ctx context.Context) error {
	err := k.open(ctx)
	for more := true; err == nil && more; {
		more, err = k.writeSome(ctx)
	}
	if errors.Is(err, history.ErrCorrupt) {
		err = errors.Join(err, k.closeStore())
	}
	if err == nil || ctx.Err() == nil {
		k.note(err)
	}
	return err
}

// note remembers whether there is trouble.
func (k *Keeper) note(err error) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	switch {
	case err == nil:
		k.state.Trouble, k.state.Since = "", time.Time{}
		return
	case k.state.Trouble == "":
		k.state.Since = time.Now()
	}
	k.state.Trouble = err.Error()
}

func (k *Keeper) open(ctx context.Context) error {
	if _, ok := k.Store(); ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	store, err := k.config.Open(ctx)
	if err != nil {
		return err
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.store = store
	return nil
}

func (k *Keeper) closeStore() error {
	k.mutex.Lock()
	store := k.store
	k.store = nil
	k.mutex.Unlock()
	if store == nil {
		return nil
	}
	return store.Close()
}

// portion is what is written at once.
type portion struct {
	buckets []bucket
	records []record // at most one
	events  []history.Event
}

// writeSome writes the oldest of what is queued and reports whether there is more. What could not be written is queued
// again.
func (k *Keeper) writeSome(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	k.mutex.Lock()
	store, p := k.store, k.takeLocked()
	all := len(p.buckets) + len(p.records) + len(p.events)
	k.mutex.Unlock()

	refused, err := p.write(ctx, store)

	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.writing.buckets, k.writing.records = 0, 0
	k.state.Refused += uint64(refused)
	if written := all - len(p.buckets) - len(p.records) - len(p.events) - refused; written > 0 {
		k.state.Written += uint64(written)
		k.state.LastWrite = time.Now()
	}
	if err != nil {
		k.buckets = append(p.buckets, k.buckets...)
		k.records = append(p.records, k.records...)
		k.events = append(p.events, k.events...)
		for _, r := range p.records {
			k.state.Bytes += len(r.Content)
		}
		k.queuedLocked()
	}
	return len(k.buckets)+len(k.records)+len(k.events) > 0, err
}

// takeLocked takes the oldest out of the queues.
func (k *Keeper) takeLocked() portion {
	var p portion
	p.buckets = k.buckets[:min(len(k.buckets), atOnce)]
	k.buckets = k.buckets[len(p.buckets):]
	if len(k.records) > 0 {
		p.records = []record{k.records[0]}
		k.records = k.records[1:]
		k.state.Bytes -= len(p.records[0].Content)
	}
	p.events = slices.Clip(k.events[:min(len(k.events), atOnce)])
	k.events = k.events[len(p.events):]
	k.writing.buckets, k.writing.records = len(p.buckets), len(p.records)+len(p.events)
	return p
}

// write writes until there is an error, and leaves what is not written. It says how much of it the store will never
// take.
func (p *portion) write(ctx context.Context, store history.Store) (refused int, err error) {
	if p.buckets, refused, err = writeBuckets(ctx, store, p.buckets); err != nil {
		return refused, err
	}
	if len(p.records) > 0 {
		if err = writeRecord(ctx, store, p.records[0]); errors.Is(err, history.ErrInvalid) {
			refused++
		} else if err != nil {
			return refused, err
		}
		p.records = nil
	}
	if len(p.events) > 0 {
		if err = store.SaveEvents(ctx, p.events); errors.Is(err, history.ErrInvalid) {
			refused += len(p.events)
		} else if err != nil {
			return refused, err
		}
		p.events = nil
	}
	return refused, nil
}

// writeBuckets writes buckets pool by pool, and returns those that are left after an error, and how many the store will
// never take.
func writeBuckets(ctx context.Context, store history.Store, buckets []bucket) (
	left []bucket, refused int, failed error,
) {
	pools := map[string][]history.Bucket{}
	for _, b := range buckets {
		pools[b.pool] = append(pools[b.pool], b.Bucket)
	}
	for _, pool := range slices.Sorted(maps.Keys(pools)) {
		switch err := store.Append(ctx, pool, pools[pool]); {
		case errors.Is(err, history.ErrInvalid):
			refused += len(pools[pool])
		case err != nil:
			failed = err
		}
		if failed != nil {
			break
		}
		delete(pools, pool)
	}
	for _, b := range buckets {
		if pools[b.pool] != nil {
			left = append(left, b)
		}
	}
	return left, refused, failed
}

func writeRecord(ctx context.Context, store history.Store, r record) error {
	if r.forecast {
		return store.SaveForecast(ctx, r.pool, r.At, r.Content)
	}
	return store.SaveDecision(ctx, r.pool, r.At, r.Content)
}

// retain puts old things together and returns when to do so again.
func (k *Keeper) retain(ctx context.Context) time.Duration {
	store, ok := k.Store()
	if !ok {
		return retainAgain
	}
	err := store.Retain(ctx, time.Now(), k.config.Retention)
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if err != nil {
		k.state.RetentionError = err.Error()
		return retainAgain
	}
	k.state.RetentionError = ""
	return retainEvery
}
