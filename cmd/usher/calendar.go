package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/calendar/feed"
)

// maxDays is how many days of a calendar are listed at most.
const maxDays = 3 * 366

func calendarCommand() *cobra.Command {
	var zone string
	days, asJSON := 14, false
	c := &cobra.Command{
		Use:   "calendar FILE|URL",
		Short: "List upcoming events, and what of a calendar cannot be read",
		Long: `List the events that are under way or begin within the next days, and what of the calendar cannot
be read, with its line and what was expected there.

A calendar is an iCalendar (.ics, or a URL with https:// or webcal://), a CSV with the columns start
and end and perhaps timezone, guests, name and kind, or a list of the same in YAML. docs/calendar.md
says more.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			config := feed.Config{Ahead: time.Duration(days) * 24 * time.Hour, Past: time.Second}
			if days < 1 || days > maxDays {
				return misused(c, fmt.Errorf("--days is %d; expected 1 to %d", days, maxDays))
			}
			if strings.Contains(args[0], "://") {
				config.URL = args[0]
			} else {
				config.File = args[0]
			}
			shown := time.Local
			if zone != "" {
				location, err := time.LoadLocation(zone)
				if err != nil {
					return misused(c, fmt.Errorf("--timezone is unknown; expected a name such as Europe/Berlin"))
				}
				config.Zone, shown = location, location
			}
			if err := config.Check(); err != nil {
				return misused(c, err)
			}
			reading, err := feed.Read(c.Context(), config, time.Now())
			if err != nil {
				return fmt.Errorf("read calendar: %w", err)
			}
			if asJSON {
				return writeCalendarJSON(c.OutOrStdout(), reading)
			}
			return writeCalendar(c.OutOrStdout(), reading, shown, days)
		},
	}
	f := c.Flags()
	f.StringVar(&zone, "timezone", "", "`zone` of times that name none, and of the list")
	f.IntVar(&days, "days", days, "how many days ahead")
	f.BoolVar(&asJSON, "json", false, "write JSON")
	return c
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
	for _, p := range reading.Problems {
		fmt.Fprintf(w, "  %v\n", p)
	}
	if reading.More > 0 {
		fmt.Fprintf(w, "  and %d more\n", reading.More)
	}
	return nil
}
