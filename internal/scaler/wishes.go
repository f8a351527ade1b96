package scaler

import (
	"fmt"
	"strings"
	"time"
)

// wishes are what asks for connections now.
func (s *PoolState) wishes(p *Pool, now time.Time, d *Decision) []Wish {
	var list []Wish
	add := func(cause Cause, connections int, why string) {
		if connections > 0 {
			list = append(list, Wish{cause, connections, why})
		}
	}
	if n := max(s.Before, s.Latest); n > 0 {
		add(Measured, n, s.measured(p, n))
	}
	if missing := usable(p.Forecast, now); missing != "" {
		d.note("%s", missing)
	} else {
		d.Issued, s.Forecast = p.Forecast.Issued, now
		a := p.asked(now, s.Target, s.Hold)
		if a.spike != nil && s.Hold.at(now) && !now.Before(s.Hold.Start) {
			a.spike.start = s.Hold.Start
		}
		if a.connections > 0 {
			add(Predicted, a.connections, a.why(p.Forecast, p.Rules, now))
		}
		s.hold(p, a, now)
	}
	if s.Hold.at(now) {
		add(Held, s.Hold.Target, fmt.Sprintf("kept until %s: %s", clock(p.Forecast, s.Hold.Until, now), s.Hold.Why))
	}
	s.impaired(p, now)
	if s.Emergency.at(now) {
		add(Emergency, s.Emergency.Target, s.Emergency.Why)
	}
	return list
}

func (s *PoolState) measured(p *Pool, n int) string {
	if s.now == n {
		return fmt.Sprintf("demand of %.3g needs %d for at most %.0f%% utilisation", p.Observed.Demand, n,
			100*p.Rules.Reactive)
	}
	return fmt.Sprintf("demand of the last %v needs %d", measuredFor, n)
}

// hold remembers what is opened for a spike. One that has begun is held to its end, whatever later forecasts say of its
// height; one that has not is held as long as it is expected.
func (s *PoolState) hold(p *Pool, a ahead, now time.Time) {
	if a.spike == nil {
		if s.Hold.at(now) && now.Before(s.Hold.Start) {
			s.Hold = Hold{} // cancelled, or smaller than it looked
		}
		return
	}
	h := Hold{a.connections, a.spike.start, a.spike.end.Add(p.Rules.Hold), a.why(p.Forecast, p.Rules, now)}
	if s.Hold.at(now) && !now.Before(s.Hold.Start) {
		if s.Hold.Target > h.Target {
			h.Target, h.Why = s.Hold.Target, s.Hold.Why
		}
		if s.Hold.Until.After(h.Until) {
			h.Until = s.Hold.Until
		}
	}
	s.Hold = h
}

// impaired raises what an emergency asks for, and again as long as it lasts.
func (s *PoolState) impaired(p *Pool, now time.Time) {
	o := &p.Observed
	if o.Late <= 0 && o.Reserve <= 0 {
		return
	}
	var why []string
	if o.Late > 0 {
		why = append(why, fmt.Sprintf("%d critical requests wait beyond their objective", o.Late))
	}
	if o.Reserve > 0 {
		why = append(why, fmt.Sprintf("%d connections of the reserve are in use", o.Reserve))
	}
	if s.Raised.After(now) {
		s.Raised = time.Time{}
	}
	target, most := s.Target, p.Rules.most()
	if s.Emergency.at(now) {
		target = s.Emergency.Target
	}
	if !o.Unknown {
		most = min(most, max(target, emergencyMost*s.now))
	}
	if now.Sub(s.Raised) >= emergencyPause {
		s.Raised = now
		target = max(target+1, int(float64(target)*(1+emergencyPart)), s.now)
	}
	s.Emergency = Hold{min(target, most), now, now.Add(emergencyHold), strings.Join(why, ", ")}
}
