package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/usher-pg/usher/internal/brain"
	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/calendar/feed"
	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/foresight"
	"github.com/usher-pg/usher/internal/history"
)

// maxDays is how many days of a calendar are listed at most.
const maxDays = 3 * 366

// calendarFlags are what the command is told.
type calendarFlags struct {
	config, zone string
	days         int
	json         bool
}

func calendarCommand() *cobra.Command {
	f := calendarFlags{days: 14}
	c := &cobra.Command{
		Use:   "calendar [FILE|URL]",
		Short: "List upcoming events, and what of a calendar cannot be read",
		Long: `List the events that are under way or begin within the next days, and what of the calendar cannot
be read, with its line and what was expected there.

A calendar is an iCalendar (.ics, or a URL with https:// or webcal://), a CSV with the columns start
and end and perhaps timezone, guests, name and kind, or a list of the same in YAML. Without one,
those of the configuration are read. docs/calendar.md says more.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case f.days < 1 || f.days > maxDays:
				return misused(c, fmt.Errorf("--days is %d; expected 1 to %d", f.days, maxDays))
			case (len(args) == 0) == (f.config == ""):
				return misused(c, errors.New("expected a calendar, or --config with a configuration that names some"))
			}
			shown := time.Local
			if f.zone != "" {
				var err error
				if shown, err = time.LoadLocation(f.zone); err != nil {
					return misused(c, fmt.Errorf("--timezone is unknown; expected a name such as Europe/Berlin"))
				}
			}
			if f.config != "" {
				return showCalendars(c, f, shown)
			}
			return showCalendar(c, f, args[0], shown)
		},
	}
	configFlag(c, &f.config)
	flags := c.Flags()
	flags.StringVar(&f.zone, "timezone", "", "`zone` of times that name none, and of the list")
	flags.IntVar(&f.days, "days", f.days, "how many days ahead")
	flags.BoolVar(&f.json, "json", false, "write JSON")
	return c
}

// showCalendar shows one that is named.
func showCalendar(c *cobra.Command, f calendarFlags, from string, shown *time.Location) error {
	config := feed.Config{Ahead: time.Duration(f.days) * 24 * time.Hour, Past: time.Second}
	if strings.Contains(from, "://") {
		config.URL = from
	} else {
		config.File = from
	}
	if f.zone != "" {
		config.Zone = shown
	}
	if err := config.Check(); err != nil {
		return misused(c, err)
	}
	reading, err := feed.Read(c.Context(), config, time.Now())
	if err != nil {
		return fmt.Errorf("read calendar: %w", err)
	}
	if f.json {
		return writeCalendarJSON(c.OutOrStdout(), reading)
	}
	return writeCalendar(c.OutOrStdout(), reading, shown, f.days)
}

// showCalendars shows those of a configuration. Times are of its zone unless another was asked for.
func showCalendars(c *cobra.Command, f calendarFlags, shown *time.Location) error {
	cfg, err := config.Load(f.config)
	if err != nil {
		return misuse{err}
	}
	if f.zone == "" {
		if shown, err = time.LoadLocation(cfg.Timezone); err != nil {
			return misuse{err}
		}
	}
	now, ahead := time.Now(), time.Duration(f.days)*24*time.Hour
	read, err := brain.ReadCalendars(c.Context(), cfg, stateFolder(f.config), ahead, now)
	if err != nil {
		return fmt.Errorf("read calendars: %w", err)
	}
	if remembered, err := pastEvents(c, cfg, stateFolder(f.config), now); err == nil {
		read.Remember(remembered, now)
	} else if !errors.Is(err, brain.ErrNoHistory) {
		c.PrintErrln("usher: without events of the past:", err)
	}
	states, all := read.Of("")
	events := slices.AppendSeq([]calendar.Event{}, calendar.NewSet(all).Overlapping(now, now.Add(ahead)))
	w := c.OutOrStdout()
	if f.json {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(map[string]any{"events": events, "calendars": states})
	}
	if err := writeCalendar(w, calendar.Reading{Events: events}, shown, f.days); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if len(states) == 0 {
		fmt.Fprintln(w, "the configuration names no calendars")
	}
	for i := range states {
		fmt.Fprintln(w, foresight.Health(&states[i], now))
		writeProblems(w, states[i].Problems, states[i].More)
	}
	return nil
}

// historyPatience is how long the history may take to answer: what comes is known without it.
const historyPatience = 5 * time.Second

// pastEvents are those the history remembers.
func pastEvents(c *cobra.Command, cfg *config.Config, folder string, now time.Time) (_ []history.Event, err error) {
	ctx, cancel := context.WithTimeout(c.Context(), historyPatience)
	defer cancel()
	offline, err := brain.OpenOffline(ctx, cfg, folder, func(message string) { c.PrintErrln("usher:", message) })
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, offline.Close()) }()
	return offline.Remembered(ctx, now)
}

func writeCalendarJSON(w io.Writer, reading calendar.Reading) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(struct {
		Events   []calendar.Event   `json:"events"`
		Problems []calendar.Problem `json:"problems"`
		More     int                `json:"more_problems"`
	}{append([]calendar.Event{}, reading.Events...), append([]calendar.Problem{}, reading.Problems...), reading.More})
}

func writeCalendar(w io.Writer, reading calendar.Reading, zone *time.Location, days int) error {
	if len(reading.Events) == 0 {
		fmt.Fprintf(w, "no events within %d days\n", days)
	} else {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "START\tLASTS\tGUESTS\tKIND\tNAME")
		for _, e := range reading.Events {
			guests := "?"
			if e.Guests > 0 {
				guests = fmt.Sprintf("%.0f", e.Guests)
			}
			lasts := strings.TrimSuffix(e.End.Sub(e.Start).Round(time.Minute).String(), "0s")
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", e.Start.In(zone).Format("Mon 2006-01-02 15:04 MST"),
				lasts, guests, e.Kind, e.Name)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	if len(reading.Problems) > 0 {
		fmt.Fprintf(w, "\nproblems: %d\n", len(reading.Problems)+reading.More)
	}
	writeProblems(w, reading.Problems, reading.More)
	return nil
}

func writeProblems(w io.Writer, problems []calendar.Problem, more int) {
	for _, p := range problems {
		fmt.Fprintf(w, "  %v\n", p)
	}
	if more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
}
