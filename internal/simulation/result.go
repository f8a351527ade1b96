package simulation

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/scaler"
	"github.com/usher-pg/usher/internal/staffing"
)

// Scenario is the name of the year that there is.
const Scenario = "wedding-year"

// Result is what became of a year.
type Result struct {
	Seed     uint64   `json:"seed"`
	Size     int      `json:"size"` // what the pool may have, and Static has
	Weddings int      `json:"weddings"`
	Policies []Policy `json:"policies"`
	// Spikes are all above twice the usual, Predictable those that could be known.
	Spikes      int `json:"spikes"`
	Predictable int `json:"predictable"`
	// Evenings are the first Saturday evenings' peaks as expected that morning over as they came: the first with rules
	// of thumb that are wrong by Wrong.
	Wrong    float64   `json:"priors_wrong_by"`
	Evenings []float64 `json:"evenings"`
}

// Policy is what a policy did.
type Policy struct {
	Name string `json:"name"`
	// Late is the share of requests that waited more than 10 ms, but for times in which more was asked for than the
	// pool may ever have, when all policies are alike; LateKnown also leaves out the viral day and storms of retries,
	// and LateAll nothing.
	Late      float64 `json:"late"`
	LateKnown float64 `json:"late_without_surprises"`
	LateAll   float64 `json:"late_with_saturation"`
	Hours     float64 `json:"connection_hours"`
	// Prepared is how many of the predictable spikes had all they needed open and warm 30 minutes ahead, so that at
	// most 1% waits; PreparedGoal the same at 80% utilisation at most.
	Prepared     int `json:"prepared"`
	PreparedGoal int `json:"prepared_at_80_percent"`
}

// The policies, in the order of Result.Policies.
const (
	Static = iota
	Reactive
	Ours
	Oracle
)

// eveningsShown is how many Saturdays show what the rules of thumb are worth.
const eveningsShown = 8

// Options are what can be chosen.
type Options struct {
	Zone *time.Location
	// Opens is how many connections a second may be opened.
	Opens float64
	// Days is how much of the year is lived through.
	Days       int
	Forecaster Forecaster
}

// Defaults are the year in a zone with usher's forecasts.
func Defaults(zone *time.Location) Options {
	return Options{zone, scaler.Defaults(least, least).Opens, year, forecast.Make}
}

// Run lives through the year of a seed under each policy.
func Run(seed uint64, options Options) Result {
	w := NewWorld(seed, options.Zone, options.Days)
	ours := newOurs(w, options)
	r := Result{Seed: seed, Size: w.most, Weddings: len(w.weddings), Wrong: wrongBy}
	if seed%2 == 1 {
		r.Wrong = 1 / wrongBy
	}
	spans := w.spans()
	r.Spikes = len(spans)
	for _, s := range spans {
		if s.predictable {
			r.Predictable++
		}
	}
	for _, p := range []struct {
		name   string
		policy policy
	}{
		{"static peak", static{w.most}},
		{"reactive only", newReactive(w, options)},
		{"ours", ours},
		{"oracle", &oracle{world: w}},
	} {
		o := w.live(p.policy)
		policy := Policy{
			Name: p.name, Late: o.share(none, silence, storm, viral), LateKnown: o.share(none),
			LateAll: o.share(none, silence, storm, viral, saturated), Hours: o.seconds / 3600,
		}
		for _, s := range spans {
			if s.predictable && o.prepared(w, s, waiting()) {
				policy.Prepared++
			}
			if s.predictable && o.prepared(w, s, staffing.DefaultGoal) {
				policy.PreparedGoal++
			}
		}
		r.Policies = append(r.Policies, policy)
	}
	ratios := ours.ratios()
	r.Evenings = ratios[:min(len(ratios), eveningsShown)]
	return r
}

// Summary is several years together.
type Summary struct {
	Scenario string   `json:"scenario"`
	Years    []Result `json:"years"`
	// Total has the policies' shares as means and the rest as sums.
	Total []Policy `json:"total"`
	// Prepared is the share of predictable spikes that Ours prepared for; Saved by which part fewer requests waited
	// than under Reactive, as Late, LateKnown and LateAll have it; Hours those of Ours over those of Static.
	Prepared   float64 `json:"prepared"`
	Saved      float64 `json:"saved"`
	SavedKnown float64 `json:"saved_without_surprises"`
	SavedAll   float64 `json:"saved_with_saturation"`
	Hours      float64 `json:"hours_of_static"`
	// Off is by which factor the n-th Saturday evening was misjudged, the typical year: the geometric mean.
	Off []float64 `json:"evenings_off"`
}

// Summarise puts years together.
func Summarise(years []Result) Summary {
	s := Summary{Scenario: Scenario, Years: years}
	if len(years) == 0 {
		return s
	}
	s.Total = make([]Policy, len(years[0].Policies))
	spikes := 0
	off, seen := make([]float64, eveningsShown), make([]float64, eveningsShown)
	for _, y := range years {
		spikes += y.Predictable
		for i, p := range y.Policies {
			t := &s.Total[i]
			t.Name = p.Name
			t.Late += p.Late / float64(len(years))
			t.LateKnown += p.LateKnown / float64(len(years))
			t.LateAll += p.LateAll / float64(len(years))
			t.Hours += p.Hours
			t.Prepared += p.Prepared
			t.PreparedGoal += p.PreparedGoal
		}
		for i, ratio := range y.Evenings {
			off[i] += math.Abs(math.Log(math.Max(ratio, 1e-3)))
			seen[i]++
		}
	}
	for i := range off {
		s.Off = append(s.Off, math.Exp(off[i]/max(seen[i], 1)))
	}
	s.Prepared = float64(s.Total[Ours].Prepared) / float64(max(spikes, 1))
	less := func(ours, reactive float64) float64 { return 1 - ours/math.Max(reactive, 1e-12) }
	s.Saved = less(s.Total[Ours].Late, s.Total[Reactive].Late)
	s.SavedKnown = less(s.Total[Ours].LateKnown, s.Total[Reactive].LateKnown)
	s.SavedAll = less(s.Total[Ours].LateAll, s.Total[Reactive].LateAll)
	s.Hours = s.Total[Ours].Hours / s.Total[Static].Hours
	return s
}

// String is the summary as a table.
func (s Summary) String() string {
	var b strings.Builder
	spikes, all := 0, 0
	for _, y := range s.Years {
		spikes, all = spikes+y.Predictable, all+y.Spikes
	}
	fmt.Fprintf(&b, "%s, %d years; %d spikes above twice the usual, %d of them predictable\n\n", s.Scenario,
		len(s.Years), all, spikes)
	fmt.Fprintf(&b, "%-14s %11s %12s %11s %11s %10s %9s %7s\n", "POLICY", "WAIT >10MS", "NO SURPRISES",
		"SATURATION", "READY 30MIN", "AT 80%", "CONN-H", "STATIC")
	for _, p := range s.Total {
		fmt.Fprintf(&b, "%-14s %10.5f%% %11.5f%% %10.5f%% %10.1f%% %9.1f%% %9.0f %6.1f%%\n", p.Name, 100*p.Late,
			100*p.LateKnown, 100*p.LateAll, 100*float64(p.Prepared)/float64(max(spikes, 1)),
			100*float64(p.PreparedGoal)/float64(max(spikes, 1)), p.Hours/float64(len(s.Years)),
			100*p.Hours/s.Total[Static].Hours)
	}
	fmt.Fprintf(&b, "\nours: %.1f%% of predictable spikes are prepared for; "+
		"%.1f%% of the connection-hours of static peak\n", 100*s.Prepared, 100*s.Hours)
	fmt.Fprintf(&b, "requests that wait are down by %.1f%% against reactive only; %.1f%% without surprises, "+
		"%.1f%% with saturation\n", 100*s.Saved, 100*s.SavedKnown, 100*s.SavedAll)
	fmt.Fprintf(&b, "rules of thumb wrong by %.1f: Saturday evenings are misjudged by a factor of", wrongBy)
	for _, off := range s.Off {
		fmt.Fprintf(&b, " %.2f", off)
	}
	b.WriteString("\n")
	return b.String()
}
