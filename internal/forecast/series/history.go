package series

import "math"

// history is the end of a series, made ready for the models.
type history struct {
	values []float64 // over their mean; what is missing is filled from what resembles it
	logs   []float64 // of values, see logOffset
	known  []bool
	// seasons are those that the history carries, ascending. Without any it is the one season of one step.
	seasons []int

	scale  float64 // the mean: what values are to be multiplied with
	offset float64 // what was added before the logarithm was taken
	low    float64 // of values
	high   float64
}

const (
	// nearZero is the share of the mean below which a value's logarithm says more about its rounding than about it,
	// and logOffset the share that is added to all values of a series that has such.
	nearZero  = 0.01
	logOffset = 0.2
)

// newHistory is false if no value is known.
func newHistory(values []float64, seasons []int) (*history, bool) {
	for len(values) > 0 && math.IsNaN(values[0]) {
		values = values[1:]
	}
	if len(values) == 0 {
		return nil, false
	}
	h := &history{seasons: carried(seasons, len(values))}
	if limit := h.span(); len(values) > limit {
		values = values[len(values)-limit:]
	}
	h.values, h.known = make([]float64, len(values)), make([]bool, len(values))
	sum, count := 0.0, 0.0
	for i, v := range values {
		if h.known[i] = !math.IsNaN(v); h.known[i] {
			sum, count = sum+v, count+1
		}
	}
	if count == 0 {
		return nil, false
	}
	if h.scale = sum / count; !(h.scale > 0) {
		h.scale = 1
	}
	h.low = math.Inf(1)
	for i, v := range values {
		if h.known[i] {
			v /= h.scale
			h.values[i], h.low, h.high = v, math.Min(h.low, v), math.Max(h.high, v)
		}
	}
	h.fill()
	if h.low < nearZero {
		h.offset = logOffset
	}
	h.logs = make([]float64, len(values))
	for i, v := range h.values {
		h.logs[i] = math.Log(v + h.offset)
	}
	return h, true
}

// carried are the seasons of which n steps show enough: the first has to be seen twice, the second once and a bit.
func carried(seasons []int, n int) []int {
	var out []int
	for i, s := range seasons {
		if (i != 1 && n >= 2*s) || (i == 1 && len(out) == 1 && n >= s+2*out[0]) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return []int{1}
	}
	return out
}

// short is the first season, and long the second, or the first if there is no other.
func (h *history) short() int { return h.seasons[0] }
func (h *history) long() int  { return h.seasons[min(1, len(h.seasons)-1)] }

// span is how much of the series' end is looked at.
func (h *history) span() int {
	least := longSpan * 7 * h.short() // as much as if the second season were a week of days
	return min(maxHistory, max(least, longSpan*h.long(), 2*h.seasons[len(h.seasons)-1], 100))
}

// fill gives what is missing the value that it would most likely have: that of a season before, or after.
func (h *history) fill() {
	n := len(h.values)
	filled := make([]bool, n)
	copy(filled, h.known)
	lags := []int{h.long(), h.short()}
	for t := range n {
		for _, lag := range lags {
			if !filled[t] && t >= lag && filled[t-lag] {
				h.values[t], filled[t] = h.values[t-lag], true
			}
		}
	}
	for t := n - 1; t >= 0; t-- {
		for _, lag := range lags {
			if !filled[t] && t+lag < n && filled[t+lag] {
				h.values[t], filled[t] = h.values[t+lag], true
			}
		}
	}
	for t := range n { // a time of day that is never known
		if !filled[t] {
			h.values[t] = h.values[max(t-1, 0)]
		}
	}
}

// origins are the times from which the models are replayed, ascending, and last the end of the history.
func (h *history) origins() []int {
	n, short, long := len(h.values), h.short(), h.long()
	first := min(2*long+short, max(long+short, n/2))
	count := 0
	for count < maxOrigins && n-(count+1)*short >= first {
		count++
	}
	out := make([]int, 0, count+1)
	for ; count >= 0; count-- {
		out = append(out, n-count*short)
	}
	return out
}
