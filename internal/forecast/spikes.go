package forecast

// A spike begins where the middle forecast is more than SpikeEnter times what is usual without events, and ends where
// it is less than SpikeLeave times that, so that it does not flicker.
const (
	SpikeEnter = 2.0
	SpikeLeave = 1.5
	// LeastSpikeDefault is by how many server connections it must be more: twice of nothing needs no preparation.
	LeastSpikeDefault = 2.0
)

// Spikes finds them among points in order.
func Spikes(points []Point, least float64) []Spike {
	var list []Spike
	var peak float64 // P50 at the peak of the one that is open
	open := false
	for i := range points {
		p := &points[i]
		end := p.Start.Add(p.Width)
		switch beyond := p.P50 - p.Base; {
		case !open && p.Multiplier > SpikeEnter && beyond >= least:
			open, peak = true, -1
			list = append(list, Spike{Start: p.Start})
		case open && p.Multiplier < SpikeLeave:
			open = false
		}
		if !open {
			continue
		}
		s := &list[len(list)-1]
		s.End = end
		if p.P50 > peak {
			peak = p.P50
			s.Peak, s.PeakP90, s.Ratio, s.Why = p.Start, p.P90, p.Multiplier, p.Why
		}
	}
	return list
}
