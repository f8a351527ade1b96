package tuner

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Point of the curve: what was seen while so many server connections were busy, on average.
type Point struct {
	Busy       float64 `json:"busy"`
	Throughput float64 `json:"throughput"` // transactions a second
	Service    float64 `json:"service_s"`  // how long one keeps its server connection on average, in seconds
	// Seconds is how much time this comes from; older ones count less.
	Seconds float64 `json:"seconds"`
	// Full is the part of that time in which requests wanted more than the limit. Where it is small, Throughput is what
	// was asked for, not what the server can do.
	Full float64 `json:"full"`
	// Size says that this is the size that holds.
	Size bool `json:"size,omitempty"`
}

// bucket is a point that is being learned. The means are weighted by time.
type bucket struct{ seconds, busy, full, rate, service float64 }

// leastSeconds is what a bucket needs to be shown and believed.
const leastSeconds = 2

// fadeEvery is how often what is known fades a little, so that an observation costs less.
const fadeEvery = 10 * time.Second

// curve has a bucket for each rung.
type curve struct {
	buckets [rungsMost]bucket
	unfaded time.Duration
}

// at is the bucket nearest to so many busy connections.
func (c *curve) at(busy float64) *bucket { return &c.buckets[nearest(busy)] }

// learn adds an observation.
func (c *curve) learn(o Observed, span, memory time.Duration, full bool) {
	if o.Completed == 0 || o.Busy == 0 {
		return
	}
	seconds := span.Seconds()
	if c.unfaded += span; c.unfaded >= fadeEvery {
		c.fade(math.Exp2(-c.unfaded.Seconds() / memory.Seconds()))
		c.unfaded = 0
	}
	b := c.at(o.Busy)
	b.seconds += seconds
	part := seconds / b.seconds
	b.busy += part * (o.Busy - b.busy)
	b.rate += part * (float64(o.Completed)/seconds - b.rate)
	b.service += part * (o.Held.Seconds()/float64(o.Completed) - b.service)
	if full {
		b.full += part * (1 - b.full)
	} else {
		b.full -= part * b.full
	}
}

// fade lets what is known count less.
func (c *curve) fade(part float64) {
	for i := range c.buckets {
		c.buckets[i].seconds *= part
	}
}

// Curve is what is known of the server, the smallest number of connections first.
func (s State) Curve() []Point {
	var points []Point
	for i, b := range s.curve.buckets {
		if b.seconds >= leastSeconds {
			points = append(points, Point{
				Busy: b.busy, Throughput: b.rate, Service: b.service, Seconds: b.seconds, Full: b.full,
				Size: s.Size > 0 && i == nearest(float64(s.Size)),
			})
		}
	}
	return points
}

// barMost is the length of the longest bar.
const barMost = 40

// Table shows a curve as text. A bar is throughput; it is hollow where the load never asked for more.
func Table(points []Point) string {
	var text strings.Builder
	best := 0.0
	for _, p := range points {
		best = max(best, p.Throughput)
	}
	fmt.Fprintf(&text, "%7s %12s %12s\n", "busy", "per second", "service")
	for _, p := range points {
		bar := strings.Repeat("█", int(math.Round(barMost*p.Throughput/best)))
		if p.Full < 0.5 {
			bar = strings.ReplaceAll(bar, "█", "░")
		}
		mark := ""
		if p.Size {
			mark = " ◄"
		}
		service := time.Duration(p.Service * float64(time.Second))
		fmt.Fprintf(&text, "%7.1f %12.1f %12v %s%s\n", p.Busy, p.Throughput, service.Round(10*time.Microsecond), bar, mark)
	}
	return text.String()
}
