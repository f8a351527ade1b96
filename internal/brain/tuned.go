package brain

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/tuner"
)

// What the tuner has found for a database server is kept in the history, as a decision of a pool of that name, so that
// it need not be found again after a restart. How far a memory is believed is the tuner's business.

const (
	// lessonsOf and a server are the pool.
	lessonsOf = "tuner of "
	// lessonLife is how old a memory may be: after a season the machine, the data and the statements are others.
	lessonLife = 90 * day
	// lessonAgain is after how long one that is still true is kept again, lessonRest at least after how long one of which
	// the throughput alone is another by lessonPart.
	lessonAgain = day
	lessonRest  = 10 * time.Minute
	lessonPart  = 0.1
)

// lesson is what is remembered of a database server; a Size of 0: nothing.
type lesson struct {
	tuner.Lesson
	at time.Time // when it was kept
}

// recall reads what is remembered of servers that are new, and forgets about those that are gone.
func (b *Brain) recall(ctx context.Context) {
	there := map[string]bool{}
	for _, p := range b.options.Pools() {
		there[p.Server] = true
	}
	b.mutex.Lock()
	maps.DeleteFunc(b.lessons, func(server string, _ lesson) bool { return !there[server] })
	maps.DeleteFunc(there, func(server string, _ bool) bool { _, known := b.lessons[server]; return known })
	b.mutex.Unlock()
	store, open := b.keeper.Store()
	if !open && len(there) > 0 {
		b.wake() // to try again soon
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	for server := range there {
		l, err := readLesson(ctx, store, server, b.Now())
		if errors.Is(err, context.Canceled) {
			return
		}
		if err != nil {
			b.log.Warn("what the tuner found is not remembered", "server", server, "error", err)
		}
		b.mutex.Lock()
		if _, known := b.lessons[server]; !known { // it may have found something meanwhile
			b.lessons[server] = l
		}
		b.mutex.Unlock()
	}
}

// readLesson reads what is remembered of a server.
func readLesson(ctx context.Context, store history.Store, server string, now time.Time) (lesson, error) {
	if history.CheckPool(lessonsOf+server) != nil {
		return lesson{}, nil
	}
	records, err := store.Decisions(ctx, lessonsOf+server, now.Add(-lessonLife), now, 1)
	if err != nil || len(records) == 0 {
		return lesson{}, err
	}
	l := lesson{at: records[0].At}
	if json.Unmarshal(records[0].Content, &l.Lesson) != nil { // of another version
		return lesson{}, nil
	}
	return l, nil
}

// lessonOf is what is remembered of a server; false: the history was not asked yet.
func (b *Brain) lessonOf(server string) (lesson, bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	l, asked := b.lessons[server]
	return l, asked
}

// keepLesson remembers what was found for a server.
func (b *Brain) keepLesson(server string, found tuner.Lesson, now time.Time) {
	b.mutex.Lock()
	b.lessons[server] = lesson{found, now}
	b.mutex.Unlock()
	text, err := json.Marshal(found)
	if err != nil {
		panic("bug: what was found is no JSON: " + err.Error())
	}
	if pool := lessonsOf + server; history.CheckPool(pool) == nil {
		b.keeper.SaveDecision(pool, now, text)
	}
}

// resume begins with what is remembered, unless the tuner has found something itself. Without it, it begins anew.
func (h *house) resume(rules tuner.Rules) {
	t := &h.tuning
	if t.resumed || t.mode != config.TuningOn {
		return
	}
	l, asked := h.brain.lessonOf(h.server)
	if !asked {
		return
	}
	t.resumed = true
	if t.state.Found {
		return
	}
	if state, steps := tuner.Resume(l.Lesson, rules, t.clock); len(steps) > 0 {
		t.state = state
		h.tell(steps)
	}
}

// remember keeps what has been found, when that is something new. Off forgets it.
func (h *house) remember(now time.Time) {
	t := &h.tuning
	if t.mode == config.TuningObserve {
		return
	}
	found := tuner.Lesson{}
	if t.mode == config.TuningOn {
		if found = t.state.Lesson(); found.Size == 0 {
			return
		}
	}
	l, asked := h.brain.lessonOf(h.server)
	if t.mode == config.TuningOff && !asked || !l.outdated(found, now) {
		return
	}
	h.brain.keepLesson(h.server, found, now)
}

// outdated reports whether something else has been found.
func (l lesson) outdated(found tuner.Lesson, now time.Time) bool {
	age := now.Sub(l.at)
	same := found
	same.Rate = l.Rate
	switch {
	case same != l.Lesson:
		return true
	case found.Size == 0:
		return false
	case age < 0 || age >= lessonAgain:
		return true
	case found.Rate == 0:
		return false
	}
	return l.Rate == 0 || age >= lessonRest && (found.Rate > l.Rate*(1+lessonPart) || found.Rate < l.Rate/(1+lessonPart))
}
