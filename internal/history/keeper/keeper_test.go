package keeper

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/historytest"
)

// memory is a store in memory, in which every call can be made to fail.
type memory struct {
	history.Store // panics where the keeper has no business

	mutex sync.Mutex // guards what follows
	fail  error      // of every call
	block chan struct{}
	seen  seen
}

// seen is what has become of calls.
type seen struct {
	opened               int
	buckets              map[string][]history.Bucket
	events               []history.Event
	forecasts, decisions []string
	retained             []time.Time
}

func (m *memory) open(ctx context.Context) (history.Store, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.seen.opened++
	if m.fail != nil {
		return nil, m.fail
	}
	return m, nil
}

// call fails or does something, and waits before if calls are blocked.
func (m *memory) call(ctx context.Context, do func(*seen)) error {
	m.mutex.Lock()
	block := m.block
	m.mutex.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.fail == nil {
		do(&m.seen)
	}
	return m.fail
}

// set changes what calls do from now on.
func (m *memory) set(fail error, block chan struct{}) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.fail, m.block = fail, block
}

// look shows what has been seen so far.
func (m *memory) look() seen {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	s := m.seen
	s.buckets = maps.Clone(s.buckets)
	return s
}

func (m *memory) Append(ctx context.Context, pool string, buckets []history.Bucket) error {
	return m.call(ctx, func(s *seen) {
		if s.buckets == nil {
			s.buckets = map[string][]history.Bucket{}
		}
		s.buckets[pool] = append(s.buckets[pool], buckets...)
	})
}

func (m *memory) SaveForecast(ctx context.Context, pool string, _ time.Time, content []byte) error {
	return m.call(ctx, func(s *seen) { s.forecasts = append(s.forecasts, pool+" "+string(content)) })
}

func (m *memory) SaveDecision(ctx context.Context, pool string, _ time.Time, content []byte) error {
	return m.call(ctx, func(s *seen) { s.decisions = append(s.decisions, pool+" "+string(content)) })
}

func (m *memory) SaveEvents(ctx context.Context, events []history.Event) error {
	return m.call(ctx, func(s *seen) { s.events = append(s.events, events...) })
}

func (m *memory) Retain(ctx context.Context, now time.Time, _ history.Retention) error {
	return m.call(ctx, func(s *seen) { s.retained = append(s.retained, now) })
}

func (m *memory) Close() error { return nil }

// run runs a keeper in the bubble of a test, in which time passes at once. stop ends it; otherwise the test's end does.
func run(t *testing.T, m *memory) (k *Keeper, stop func() error) {
	k = New(Config{Open: m.open, Retention: history.DefaultRetention()})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	synctest.Wait()
	return k, stop
}

func TestWhatIsHandedOverIsWritten(t *testing.T) {
	t.Parallel()
	m := &memory{}
	synctest.Test(t, func(t *testing.T) {
		k, _ := run(t, m)
		k.Append("app", historytest.Buckets(0, 3)...)
		k.Append("other", historytest.Bucket(0))
		k.SaveForecast("app", historytest.Noon, []byte("sun"))
		k.SaveDecision("app", historytest.Noon, []byte("grow"))
		weddings := []history.Event{historytest.Event("weddings", 0), historytest.Event("weddings", 9)}
		k.SaveEvents(weddings...)
		synctest.Wait()
		if diff := cmp.Diff(weddings, m.look().events); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		want := map[string][]history.Bucket{"app": historytest.Buckets(0, 3), "other": historytest.Buckets(0, 1)}
		if diff := cmp.Diff(want, m.look().buckets); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"app sun", "app grow"}, append(m.look().forecasts, m.look().decisions...)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(State{Open: true, Written: 8, LastWrite: time.Now()}, k.State()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestTroubleIsWaitedForAndNothingIsLost(t *testing.T) {
	t.Parallel()
	full := errors.New("database or disk is full")
	m := &memory{fail: full}
	synctest.Test(t, func(t *testing.T) {
		k, _ := run(t, m)
		begun := time.Now()
		for i := range 60 {
			k.Append("app", historytest.Bucket(i))
			k.Append("other", historytest.Bucket(i))
			k.SaveDecision("app", historytest.Noon, fmt.Appendf(nil, "%d", i))
			k.SaveEvents(weddings(60)[i])
			time.Sleep(5 * time.Minute)
		}
		synctest.Wait()
		s := k.State()
		if s.Open || s.Buckets != 120 || s.Records != 120 || s.Trouble != full.Error() || !s.Since.Equal(begun) {
			t.Errorf("state %+v", s)
		}
		if m.look().opened < 200 || m.look().opened > 310 {
			t.Errorf("tried %d times in five hours", m.look().opened)
		}
		m.set(nil, nil)
		time.Sleep(longestWait)
		synctest.Wait()
		if s := k.State(); s.Buckets+s.Records+s.Bytes > 0 || s.Trouble != "" || s.Written != 240 {
			t.Errorf("state %+v", s)
		}
		want := map[string][]history.Bucket{"app": historytest.Buckets(0, 60), "other": historytest.Buckets(0, 60)}
		if diff := cmp.Diff(want, m.look().buckets); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(weddings(60), m.look().events); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// weddings are so many, an hour apart.
func weddings(n int) []history.Event {
	events := make([]history.Event, n)
	for i := range events {
		events[i] = historytest.Event("weddings", 0)
		events[i].Start = events[i].Start.Add(time.Duration(i) * time.Hour)
		events[i].End = events[i].Start
	}
	return events
}

func TestAnErrorInTheMiddleLosesNothing(t *testing.T) {
	t.Parallel()
	m := &memory{}
	synctest.Test(t, func(t *testing.T) {
		k, _ := run(t, m)
		block := make(chan struct{})
		m.set(nil, block)
		k.Append("app", historytest.Buckets(0, 10)...)
		events := weddings(3000)
		k.SaveEvents(events[:1500]...)
		synctest.Wait() // it is being written
		k.Append("app", historytest.Buckets(10, 10)...)
		k.SaveEvents(events[1500:]...)
		k.SaveForecast("app", historytest.Noon, []byte("rain"))
		m.set(errors.New("the network is gone"), block)
		close(block)
		synctest.Wait()
		if s := k.State(); s.Buckets != 20 || s.Records != 1+3000 || s.Bytes != 4 || s.Trouble == "" || !s.Open {
			t.Errorf("state %+v", s)
		}
		m.set(nil, nil)
		time.Sleep(firstWait)
		synctest.Wait()
		if diff := cmp.Diff(historytest.Buckets(0, 20), m.look().buckets["app"]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := m.look().events; !slices.Equal(got, events) {
			t.Errorf("%d events", len(got))
		}
	})
}

func TestNobodyWaitsForAStoreThatHangs(t *testing.T) {
	t.Parallel()
	m := &memory{}
	synctest.Test(t, func(t *testing.T) {
		k, stop := run(t, m)
		m.set(nil, make(chan struct{})) // nobody closes it
		begun := time.Now()
		for i := range 100 {
			k.Append("app", historytest.Bucket(i))
		}
		if !time.Now().Equal(begun) {
			t.Error("it took a while")
		}
		time.Sleep(10 * time.Minute)
		if s := k.State(); s.Buckets != 100 || !strings.Contains(s.Trouble, "deadline") {
			t.Errorf("state %+v", s)
		}
		begun = time.Now()
		err := stop()
		if took := time.Since(begun); took > lastPatience || err == nil || !strings.Contains(err.Error(), "100 buckets") {
			t.Errorf("the end took %v and says %v", took, err)
		}
	})
}

func TestTheQueuesAreBounded(t *testing.T) {
	t.Parallel()
	m := &memory{fail: errors.New("locked")}
	synctest.Test(t, func(t *testing.T) {
		k, stop := run(t, m)
		k.Append("app", historytest.Buckets(0, MostBuckets)...)
		k.Append("app", historytest.Buckets(MostBuckets, 7)...)
		content := make([]byte, history.MostContent)
		for i := range 20 {
			k.SaveForecast("app", historytest.Bucket(i).Start, content)
		}
		events := weddings(MostEvents + 5)
		k.SaveEvents(events...)
		s := k.State()
		if s.Buckets != MostBuckets || s.Records != 16+MostEvents || s.Bytes != MostRecordBytes || s.Dropped != 7+4+5 {
			t.Errorf("state %+v", s)
		}
		m.set(nil, nil)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := m.look().buckets["app"]; len(got) != MostBuckets || got[0] != historytest.Bucket(7) {
			t.Errorf("%d buckets, and the oldest is %v", len(got), got[0].Start)
		}
		if got := m.look().events; !slices.Equal(got, events[5:]) {
			t.Errorf("%d events", len(got))
		}
	})
}

func TestWhatNoStoreTakesIsRefused(t *testing.T) {
	t.Parallel()
	m := &memory{}
	synctest.Test(t, func(t *testing.T) {
		k, _ := run(t, m)
		k.Append("app", history.Bucket{}, historytest.Bucket(0))
		k.Append("", historytest.Bucket(0))
		k.SaveForecast("app", time.Time{}, nil)
		k.SaveDecision("app", historytest.Noon, make([]byte, history.MostContent+1))
		k.SaveEvents(history.Event{})
		synctest.Wait()
		if s := k.State(); s.Refused != 5 || s.Written != 1 || s.Trouble != "" {
			t.Errorf("state %+v", s)
		}
		m.set(fmt.Errorf("something about it: %w", history.ErrInvalid), nil)
		k.Append("app", historytest.Bucket(1))
		k.SaveForecast("app", historytest.Noon, nil)
		k.SaveEvents(weddings(3)...)
		synctest.Wait()
		if s := k.State(); s.Refused != 5+2+3 || s.Buckets+s.Records > 0 || s.Trouble != "" {
			t.Errorf("state %+v", s)
		}
	})
}

func TestADamagedStoreIsOpenedAnew(t *testing.T) {
	t.Parallel()
	m := &memory{}
	synctest.Test(t, func(t *testing.T) {
		k, _ := run(t, m)
		m.set(fmt.Errorf("append: %w", history.ErrCorrupt), nil)
		k.Append("app", historytest.Bucket(0))
		synctest.Wait()
		if s := k.State(); s.Open || s.Buckets != 1 || s.Trouble == "" {
			t.Errorf("state %+v", s)
		}
		if _, ok := k.Store(); ok {
			t.Error("there is a store")
		}
		m.set(nil, nil)
		time.Sleep(firstWait)
		synctest.Wait()
		if s := k.State(); !s.Open || s.Written != 1 || m.look().opened != 2 {
			t.Errorf("opened %d times, state %+v", m.look().opened, s)
		}
	})
}

func TestOldThingsAreLookedForOnceADay(t *testing.T) {
	t.Parallel()
	m := &memory{}
	synctest.Test(t, func(t *testing.T) {
		k, _ := run(t, m)
		begun := time.Now()
		time.Sleep(49 * time.Hour)
		synctest.Wait()
		first := begun.Add(retainFirst)
		want := []time.Time{first, first.Add(retainEvery), first.Add(2 * retainEvery)}
		if diff := cmp.Diff(want, m.look().retained); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		m.set(errors.New("no"), nil)
		time.Sleep(24 * time.Hour)
		if s := k.State(); s.RetentionError != "no" || s.Trouble != "" {
			t.Errorf("state %+v", s)
		}
		m.set(nil, nil)
		time.Sleep(retainAgain)
		synctest.Wait()
		if s := k.State(); s.RetentionError != "" || len(m.look().retained) != 4 {
			t.Errorf("looked %d times, state %+v", len(m.look().retained), s)
		}
	})
}
