package loadtest

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/loadtest/crowd"
	"github.com/usher-pg/usher/internal/loadtest/report"
	"github.com/usher-pg/usher/pool"
)

// What has been measured, as the report shows it.

func phaseReport(p phase) report.Phase {
	return report.Phase{Name: p.name, Title: p.title, Story: p.story, Length: p.length}
}

func doorsPhase(d *crowd.Doors, o Options, judged bool) report.Phase {
	p := report.Phase{
		Name: phaseDoors, Title: "Doors open", Story: "all clients log in, by SCRAM-SHA-256", Length: d.Length,
		Doors: &report.Doors{
			Inside: d.Inside, Length: d.Length, Parallel: loginsParallel, Logins: report.QuantilesOf(d.Logins),
			Failures: failuresReport(d.Failures),
		},
	}
	for _, v := range judgeDoors(d, o.Clients) {
		if !judged {
			v.State = report.Shown
		}
		p.Verdicts = append(p.Verdicts, v)
	}
	return p
}

func laneReport(l crowd.LaneOutcome, m *measured, hasLanes, sameClock bool) report.Lane {
	out := report.Lane{
		Name: l.Lane, Clients: l.Clients, Arrived: l.Arrived, Served: l.Served, Failed: l.Failed,
		Unfinished: l.Unfinished, Unsent: l.Unsent, Latency: report.QuantilesOf(l.Latency),
		Refusal: report.QuantilesOf(l.Refusal), Failures: failuresReport(l.Failures),
	}
	if sameClock {
		began := report.QuantilesOf(l.Began)
		out.Began = &began
	}
	if lane, err := pool.ParseLane(l.Lane); err == nil && hasLanes {
		acquisition := report.QuantilesOf(m.acquisition(int(lane)))
		out.Acquisition, out.Emergencies = &acquisition, m.emergencies(int(lane))
	}
	return out
}

func failuresReport(all []crowd.Failure) []report.Failure {
	var out []report.Failure
	for _, f := range all {
		out = append(out, report.Failure(f))
	}
	return out
}

// secondReport puts a second of the clients and the last of the pooler's readings together.
func secondReport(s *crowd.Second, readings []reading, cpu float64) report.Second {
	before, now := readings[len(readings)-2], readings[len(readings)-1]
	out := report.Second{
		Open: now.open, Busy: now.busy, Opening: now.opening, ReserveUsed: now.reserveUsed,
		CPU: cpu / float64(runtime.NumCPU()),
	}
	for _, n := range now.waiting {
		out.Waiting += n
	}
	for _, l := range s.Lanes {
		lane, err := pool.ParseLane(l.Lane)
		if err != nil {
			continue // the clients know the same lanes
		}
		out.Lanes = append(out.Lanes, report.LaneSecond{
			Lane: l.Lane, Arrived: l.Arrived, Served: l.Served, Failed: l.Failed, Backlog: l.Backlog,
			Waiting:     now.waiting[lane],
			Acquisition: now.acquisition[lane].Since(before.acquisition[lane]).Quantile(judgedQuantile),
			Began:       l.Began.Quantile(judgedQuantile), Latency: l.Latency.Quantile(judgedQuantile),
		})
	}
	return out
}

// meanWaitReport fills in what a pooler says that has only sums.
func meanWaitReport(p *report.Phase, m *measured) {
	first, last := m.readings[0], m.readings[len(m.readings)-1]
	if requests := last.requests - first.requests; requests > 0 {
		p.MeanWait, p.MeanWaitKnown = (last.waited-first.waited)/time.Duration(requests), true
	}
}

// cores is the CPU used between two readings, in cores.
func cores(before, after usage, length time.Duration) map[string]float64 {
	out := map[string]float64{}
	for name, used := range after {
		out[name] = (used - before[name]).Seconds() / length.Seconds()
	}
	return out
}

func usageReport(before, after usage, length time.Duration) []report.Usage {
	all := cores(before, after, length)
	var out []report.Usage
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, report.Usage{Name: name, Cores: all[name]})
	}
	slices.SortStableFunc(out, func(a, b report.Usage) int { return cmp.Compare(b.Cores, a.Cores) })
	return out
}
