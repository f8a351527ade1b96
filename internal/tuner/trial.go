package tuner

import (
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	// blockLeast is how long a limit holds in a trial until it changes or is measured anew. What a pool does changes in
	// milliseconds; a block is as long as a short hiccup of a machine, so that one spoils one block.
	blockLeast = 800 * time.Millisecond
	// blockServices is how many service times a block has at least, or what began before it would weigh too much.
	blockServices = 4
	// blockMost is enough where transactions are long, and blockTransactions is never too many: of fewer, the number is
	// chance.
	blockMost         = 10 * time.Second
	blockTransactions = 10
	// settleUp is how long a larger size has to open its connections and warm their caches when it is tried first.
	settleUp = time.Second
	// loosePatience is how long the load may leave the limit unfilled during a trial.
	loosePatience = 3 * time.Second
	// pairsMost is more than fit into any sensible Longest.
	pairsMost = 48
	// pairsLeast is how many pairs a verdict needs unless the difference is blatant.
	pairsLeast = 4
	// confidence is how many standard errors a mean must be away from the tolerance. The tolerance is far from what
	// matters, so a rare mistake about which side of it a size is on costs little; certainty would cost minutes.
	confidence = 1.75
	// blatant is the same for fewer pairs than pairsLeast.
	blatant = 4
	// priorPairs is how many pairs' worth the noise of earlier trials counts, and priorNoise the first one's: the
	// standard deviation of the ratio of two blocks.
	priorPairs = 4
	priorNoise = 0.12
	// outlier is how many standard deviations (by the median of deviations) a pair may be from the median.
	outlier = 3
)

// trial compares the size that holds with a candidate. Their limits alternate: size, candidate, candidate, size, size
// and so on. Two blocks are a pair; as each pair begins where the last one ended, a drift of the load cancels out.
type trial struct {
	on        bool
	candidate int
	began     time.Duration
	settle    time.Duration // what comes before is not measured
	loose     time.Duration // for which the load has not filled the size
	blocks    int           // complete ones
	block     count
	first     count // of the pair
	own       count // all blocks of the size …
	others    count // … and of the candidate
	pairs     int
	ratios    [pairsMost]float64 // of each pair: the logarithm of the larger size's throughput over the smaller's
}

// count is transactions in a time.
type count struct {
	time      time.Duration
	completed float64
	held      time.Duration
}

func (c *count) add(d count) {
	c.time += d.time
	c.completed += d.completed
	c.held += d.held
}

// rate is transactions a second. None at all count as a half, so that its logarithm exists.
func (c count) rate() float64 { return max(c.completed, 0.5) / c.time.Seconds() }

// whole reports whether a block is long enough.
func (c count) whole() bool {
	long := blockLeast
	if c.completed > 0 {
		long = max(long, time.Duration(float64(blockServices*c.held)/c.completed))
	}
	return c.time >= min(long, blockMost) && c.completed >= blockTransactions
}

// trying reports whether the candidate's limit is in force.
func (t *trial) trying() bool { return t.on && (t.blocks+1)/2%2 == 1 }

// measure adds an observation and reports whether a pair is complete.
func (t *trial) measure(c count, size int) bool {
	t.block.add(c)
	if !t.block.whole() {
		return false
	}
	block, trying := t.block, t.trying()
	t.block = count{}
	if trying {
		t.others.add(block)
	} else {
		t.own.add(block)
	}
	t.blocks++
	if t.blocks%2 == 1 {
		t.first = block
		return false
	}
	ratio := math.Log(block.rate() / t.first.rate()) // of the candidate, which came second, …
	if !trying {
		ratio = -ratio // … or first
	}
	if t.candidate < size {
		ratio = -ratio
	}
	t.ratios[t.pairs] = ratio
	t.pairs++
	return true
}

// estimate is the mean of the ratios with its standard error, and their variance.
func (t *trial) estimate(noise float64) (mean, deviation, variance float64) {
	ratios := slices.Clone(t.ratios[:t.pairs])
	clip(ratios)
	for _, x := range ratios {
		mean += x / float64(len(ratios))
	}
	squares := 0.0
	for _, x := range ratios {
		squares += (x - mean) * (x - mean)
	}
	n := float64(len(ratios))
	variance = (priorPairs*noise + squares) / (priorPairs + n - 1)
	return mean, math.Sqrt(variance / n), variance
}

// clip pulls what is far from the median towards it: a checkpoint, a neighbour on the machine.
func clip(ratios []float64) {
	if len(ratios) < 5 {
		return // the median of deviations of so few means nothing
	}
	middle := median(ratios)
	deviations := make([]float64, len(ratios))
	for i, x := range ratios {
		deviations[i] = math.Abs(x - middle)
	}
	far := outlier * 1.4826 * median(deviations) // 1.4826: of a normal distribution
	for i, x := range ratios {
		ratios[i] = max(middle-far, min(x, middle+far))
	}
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// verdict of a trial.
type verdict uint8

const (
	open verdict = iota
	larger
	smaller
)

// judge says which of the two sizes is to be had: the larger one if it does more by more than allowed, a logarithm.
// last says that there will be no more pairs.
func (t *trial) judge(noise, allowed float64, last bool) verdict {
	mean, deviation, _ := t.estimate(noise)
	far := confidence * deviation
	switch {
	case t.pairs == 1:
		far = math.Inf(1)
	case t.pairs < pairsLeast:
		far = blatant * deviation
	}
	switch beyond := mean - allowed; {
	case beyond > far, last && beyond > 0:
		return larger
	case beyond < -far, last:
		return smaller
	}
	return open
}

// result is what was seen, for people to read.
func (t *trial) result(size int, noise float64) string {
	mean, deviation, _ := t.estimate(noise)
	if t.candidate < size {
		mean = -mean
	}
	return fmt.Sprintf("%d do %s, %d do %s: %+.1f%% ± %.1f%% in %d pairs", t.candidate, t.others, size, t.own,
		100*math.Expm1(mean), 100*deviation, t.pairs)
}

// String is the rate.
func (c count) String() string {
	if rate := c.rate(); rate < 100 {
		return fmt.Sprintf("%.2f/s", rate)
	}
	return fmt.Sprintf("%.0f/s", c.rate())
}
