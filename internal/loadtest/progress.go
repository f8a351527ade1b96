package loadtest

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/usher-pg/usher/internal/loadtest/report"
)

// progress shows how far a load test is: a bar on a terminal, a line a phase elsewhere.
type progress struct {
	lines io.Writer
	bar   *progressbar.ProgressBar // nil: lines
	what  string
}

// newProgress reckons how many seconds there will be.
func newProgress(o Options) *progress {
	p := &progress{lines: o.Stdout}
	if o.Progress == nil {
		return p
	}
	seconds := calibration(o).length
	for _, ph := range plan(o, 1) {
		seconds += ph.length
	}
	if o.Compare != "" {
		seconds *= 2
	}
	p.bar = progressbar.NewOptions64(int64(seconds/time.Second),
		progressbar.OptionSetWriter(o.Progress), progressbar.OptionSetWidth(20), progressbar.OptionSetElapsedTime(true),
		progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish(),
		progressbar.OptionThrottle(100*time.Millisecond))
	return p
}

func (p *progress) say(what string) {
	if p.bar == nil {
		fmt.Fprintf(p.lines, "%s …\n", what)
		return
	}
	p.bar.Describe(what)
}

// phase begins one.
func (p *progress) phase(side, title string, length time.Duration) {
	p.what = side + ": " + title
	if p.bar == nil {
		fmt.Fprintf(p.lines, "%s (%v) …\n", p.what, length)
		return
	}
	p.bar.Describe(p.what)
}

// tell says how a phase is going, on a terminal.
func (p *progress) tell(format string, arguments ...any) {
	if p.bar != nil {
		p.bar.Describe(p.what + ": " + fmt.Sprintf(format, arguments...))
	}
}

// second counts one.
func (p *progress) second(s report.Second) {
	if p.bar == nil {
		return
	}
	served, waiting := uint64(0), 0
	for _, l := range s.Lanes {
		served += l.Served
		waiting += l.Waiting
	}
	p.tell("%d/s, %d wait", served, waiting)
	_ = p.bar.Add(1) // a bar that is full already stays so
}

// finished tells a phase's verdicts at once: a run takes minutes.
func (p *progress) finished(ph report.Phase) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	for _, v := range ph.Verdicts {
		fmt.Fprintf(p.lines, "  %-9s %s\n", v.State, v.Text)
	}
}

func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
		p.bar = nil
	}
}
