package loadtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/usher-pg/usher/internal/loadtest/report"
)

// ErrFailed is returned when everything was measured and a verdict is not what it should be.
var ErrFailed = errors.New("the load test has failed: see the verdicts")

// The files of the report.
const (
	htmlName = "load-test-report.html"
	jsonName = "load-test-report.json"
)

// Run runs a load test: it prints the table, writes the report, and leaves no process behind, whatever happens. It
// returns ErrFailed when a verdict is against usher.
func Run(ctx context.Context, o Options) (err error) {
	if err := o.Check(); err != nil {
		return err
	}
	if err := raiseDescriptors(o.Clients); err != nil {
		return err
	}
	if o.Compare == pgbouncerName {
		if _, _, err := findPgBouncer(ctx); err != nil {
			return err // before a quarter of an hour is spent
		}
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil { // before a quarter of an hour is spent
		return fmt.Errorf("create the folder for the report: %w", err)
	}
	folder, err := os.MkdirTemp("", "usher-load-test-")
	if err != nil {
		return fmt.Errorf("create a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err := os.Chmod(folder, 0o755); err != nil { // PostgreSQL and PgBouncer may run as somebody else
		return fmt.Errorf("open the folder: %w", err)
	}
	c := &conductor{Options: o, folder: folder, secret: newSecret(), bar: newProgress(o)}
	defer c.bar.end()
	r, err := c.run(ctx)
	c.bar.end()
	if err != nil {
		return err
	}
	if err := writeReport(r, o); err != nil {
		return err
	}
	if !r.Passed {
		return ErrFailed
	}
	return nil
}

// run measures everything.
func (c *conductor) run(ctx context.Context) (r *report.Report, err error) {
	c.bar.say("starting PostgreSQL")
	c.database, err = openDatabase(ctx, c.Options, c.folder, c.secret)
	defer func() { err = errors.Join(err, c.database.close()) }()
	if err != nil {
		return nil, err
	}
	if c.work, err = workOf(c.Work, c.Simple, c.database.sameClock); err != nil {
		return nil, err
	}
	r = &report.Report{
		Made: time.Now(), Clients: c.Clients, Objective: c.Objective, Settings: c.settings(),
	}
	names, capacity := []string{"usher"}, 0.0
	if c.Compare != "" {
		names = append(names, c.Compare)
	}
	for _, name := range names {
		s, err := c.measureNamed(ctx, name, capacity)
		if err != nil {
			return nil, fmt.Errorf("measure %s: %w", name, err)
		}
		if capacity == 0 {
			capacity = s.Capacity // the others get the same load
		}
		r.Sides = append(r.Sides, s)
	}
	r.Passed = passed(&r.Sides[0])
	r.Line = line(r)
	return r, nil
}

// measureNamed starts a pooler and clients, measures, and ends both.
func (c *conductor) measureNamed(ctx context.Context, name string, capacity float64) (s report.Side, err error) {
	if c.people, err = startPeople(c.Program, c.folder); err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, c.people.end()) }()
	c.bar.say("starting " + name)
	p, err := c.start(ctx, name)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	s, err = c.measure(ctx, p, capacity)
	if err != nil {
		if tail := p.process().lastLog(); tail != "" {
			err = fmt.Errorf("%w\nthe log of %s ends with:\n%s", err, name, tail)
		}
	}
	return s, err
}

// settings are what the report says about the machine and the configuration.
func (c *conductor) settings() []report.Setting {
	protocol := "extended protocol: unnamed Parse, Bind, Describe, Execute, Sync"
	if c.Simple {
		protocol = "simple protocol"
	}
	return []report.Setting{
		{Name: "machine", Value: machineText()},
		{Name: "PostgreSQL", Value: fmt.Sprintf("%s, %s; %s", c.database.version, c.database.where(),
			c.database.settings)},
		{Name: "clients", Value: clientsText(c.Clients)},
		{Name: "work", Value: c.work.text + "; " + protocol},
		{Name: "pool", Value: fmt.Sprintf("transaction mode, at most %d server connections and a reserve of %d",
			c.Pool, c.Reserve)},
		{Name: "queues", Value: fmt.Sprintf("a request waits for at most %v; in usher at most %d in a lane", queryWait,
			maxWaiting)},
		{Name: "arrivals", Value: fmt.Sprintf("Poisson processes, seed %d; latencies count from the intended send",
			c.Seed)},
	}
}

func writeReport(r *report.Report, o Options) error {
	if _, err := io.WriteString(o.Stdout, report.Text(r)); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	for name, render := range map[string]func(*report.Report) ([]byte, error){
		htmlName: report.HTML, jsonName: report.JSON,
	} {
		text, err := render(r)
		if err == nil {
			err = os.WriteFile(filepath.Join(o.Out, name), text, 0o644)
		}
		if err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	_, err := fmt.Fprintf(o.Stdout, "\nreport: %s, figures: %s\n%s\n", filepath.Join(o.Out, htmlName),
		filepath.Join(o.Out, jsonName), r.Line)
	return err
}
