package history

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/scenario"
)

// TestScenarios plays testdata/*.txt: commands, a line ----, and the buckets that were finished. A pool is looked at
// once a second.
//
//	clock 12:00:00                                  the clock is set to this time of a day in June
//	run 5m busy=3 waiting=1 requests=10 limit=4     every second so many requests came; also served, shed, down, held
//	pass 3s                                         time passes and nobody looks
//	remake                                          the pool is made anew: its counters begin at 0
//	restart                                         usher is restarted: what is open is kept as a part
//	open                                            shows what is not finished
//	kept                                            shows what a store would have
func TestScenarios(t *testing.T) {
	t.Parallel()
	scenario.Run(t, func(t *testing.T, text string) string {
		return scenario.Play(&stage{t: t, now: noon}, text)
	})
}

type stage struct {
	scenario.Happenings
	t        *testing.T
	now      time.Time
	recorder Recorder
	total    Sample
	kept     []Bucket
}

func (s *stage) Do(command string) {
	words := strings.Fields(command)
	switch words[0] {
	case "clock":
		clock, err := time.Parse(time.TimeOnly, words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.now = noon.Truncate(24 * time.Hour).Add(clock.Sub(clock.Truncate(24 * time.Hour)))
	case "pass":
		s.now = s.now.Add(scenario.Duration(s.t, words[1]))
	case "run":
		for range int(scenario.Duration(s.t, words[1]).Seconds()) {
			s.second(words[2:])
		}
	case "remake":
		s.total = Sample{}
	case "restart":
		if b, ok := s.recorder.Forget("app"); ok {
			s.finish(b)
		}
		s.recorder = Recorder{}
	case "open":
		if b, ok := s.recorder.Open("app"); ok {
			s.Say("%s", line(b))
		}
	case "kept":
		for _, b := range s.kept {
			s.Say("%s", line(b))
		}
	default:
		s.t.Fatalf("unknown command %q", command)
	}
}

func (s *stage) second(words []string) {
	sample := s.total
	sample.Busy, sample.Waiting, sample.Limit, sample.Down, sample.Held = 0, 0, 0, false, false
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		n, err := strconv.Atoi(value)
		if err != nil {
			s.t.Fatalf("%q is not name=number", w)
		}
		switch name {
		case "busy":
			sample.Busy = n
		case "waiting":
			sample.Waiting = n
		case "limit":
			sample.Limit = n
		case "requests":
			sample.Requests += uint64(n)
		case "served":
			sample.Services += uint64(n)
			sample.ServiceSum += time.Duration(n) * 10 * time.Millisecond
		case "shed":
			sample.Shed += uint64(n)
		case "down":
			sample.Down = true
		case "held":
			sample.Held = true
		default:
			s.t.Fatalf("unknown name %q", name)
		}
	}
	s.total = sample
	finished, err := s.recorder.Observe("app", sample, s.now)
	if err != nil {
		s.Say("%v", err)
	}
	for _, b := range finished {
		s.finish(b)
	}
	s.now = s.now.Add(time.Second)
}

func (s *stage) finish(b Bucket) {
	s.Say("%s", line(b))
	s.kept = Combine(s.kept, []Bucket{b})
}

func line(b Bucket) string {
	text := fmt.Sprintf("%s: %d samples, mean %.4g p95 %.4g max %.4g, %.6g arrivals", b.Start.Format("15:04"), b.Samples,
		b.Mean, b.P95, b.Max, b.Arrivals)
	if b.Service > 0 {
		text += fmt.Sprintf(", service %v", b.Service)
	}
	if b.CutOff {
		text += ", cut off"
	}
	if b.Outage {
		text += ", outage"
	}
	if b.isPart() {
		text += fmt.Sprintf(", from %v until %v", b.From, b.Until)
	}
	return text
}
