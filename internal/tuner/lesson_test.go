package tuner

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/chance"
)

// TestItBeginsWithWhatItKnew: after a restart the size holds at once, and is confirmed for next to nothing, where a
// search from the largest size costs a good part of the throughput meanwhile.
func TestItBeginsWithWhatItKnew(t *testing.T) {
	t.Parallel()
	random := chance.Random(t)
	const first = 2 * time.Minute
	knew, new, misses := 0.0, 0.0, 0
	for range servers {
		w := &walk{t: t, rules: Standard(1, 100), server: shape(random)}
		w.server.noise = 0.05
		w.run(first)
		new += w.server.done / first.Seconds() / w.server.best(100) / servers
		w.find(time.Hour)
		w.run(time.Minute)
		text, err := json.Marshal(w.state.Lesson())
		if err != nil {
			t.Fatal(err)
		}
		w.server.done, w.server.now = 0, 0
		w.resume(text)
		w.run(first)
		knew += w.server.done / first.Seconds() / w.server.best(100) / servers
		if !w.state.Found || w.part() < 0.9 {
			misses++
		}
	}
	t.Logf("in the first %v %.3f of the best is done, and %.3f where nothing is known; %d of %d miss", first, knew, new,
		misses, servers)
	if knew < 0.94 || knew < new || misses > servers/4 {
		t.Error("that is too little")
	}
}

// TestWhatItKnewMayBeWrong: it begins on another server.
func TestWhatItKnewMayBeWrong(t *testing.T) {
	t.Parallel()
	random := chance.Random(t)
	misses := 0
	for range servers {
		w := searched(t, random)
		text, err := json.Marshal(w.state.Lesson())
		if err != nil {
			t.Fatal(err)
		}
		w.server = shape(random)
		w.server.noise = 0.05
		w.resume(text)
		w.run(6 * time.Minute)
		if w.part() < 0.9 {
			misses++
		}
	}
	t.Logf("%d of %d are not near the best after 6 minutes", misses, servers)
	if misses > servers/4 {
		t.Error("that is too many")
	}
}

// TestLessonsThatCannotBe are none: they come from a file or a database.
func TestLessonsThatCannotBe(t *testing.T) {
	t.Parallel()
	r := Standard(2, 100)
	for _, l := range []Lesson{
		{}, {Size: -1, Min: -2, Max: 100}, {Size: MostConnections + 1, Max: MostConnections + 1}, {Size: 8},
		{Size: 8, Max: 7}, {Size: 8, Min: 9, Max: 100}, {Size: 8, Max: 1 << 40}, {Size: 8, Max: 100, Rate: -1},
		{Size: 8, Max: 100, Rate: math.NaN()}, {Size: 8, Max: 100, Rate: math.Inf(1)},
	} {
		if s, steps := Resume(l, r, 0); s.begun || len(steps) > 0 {
			t.Errorf("%+v: %+v", l, steps)
		}
	}
	off := r
	off.On = false
	if s, _ := Resume(Lesson{Size: 8, Min: 2, Max: 100}, off, 0); s.begun {
		t.Error("it is off")
	}
	for _, test := range []struct {
		lesson Lesson
		size   int
		found  bool
	}{
		{Lesson{Size: 8, Min: 2, Max: 100}, 8, true},
		{Lesson{Size: 8, Rate: 1e-300, Min: 2, Max: 100}, 8, true},
		{Lesson{Size: 8, Rate: 4000, Min: 1, Max: 200}, 8, true}, // it would have been found here as well
		{Lesson{Size: 8, Rate: 4000, Min: 3, Max: 50}, 8, true},
		{Lesson{Size: 8, Rate: 4000, Min: 8, Max: 50}, 8, false},    // fewer were not tried
		{Lesson{Size: 50, Rate: 4000, Min: 2, Max: 50}, 100, false}, // nor more
		{Lesson{Size: 150, Rate: 4000, Min: 2, Max: 200}, 100, false},
		{Lesson{Size: 1, Min: 1, Max: 100}, 2, false},
	} {
		s, steps := Resume(test.lesson, r, time.Second)
		if s.Size != test.size || s.Limit != test.size || s.Found != test.found || len(steps) != 1 {
			t.Errorf("%+v: limit %d, size %d, found %v, %v", test.lesson, s.Limit, s.Size, s.Found, steps)
		}
		if _, more := Decide(s, r, Observed{}, time.Second+tick); len(more) > 0 {
			t.Errorf("%+v: the first decision is %v", test.lesson, more)
		}
	}
}
