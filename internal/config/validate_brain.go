package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// validateCalendars holds the keys of each calendar against each other.
func (d *decoder) validateCalendars() {
	for i := range d.config.Calendars {
		c := &d.config.Calendars[i]
		path := itemPath("calendars", i)
		d.validateSource(path, c)
		if slices.ContainsFunc(d.config.Calendars[:i], func(other Calendar) bool { return other.Name == c.Name }) {
			d.conflict(path+".name", "is the name of another calendar too", "a name of its own")
		}
		for _, pool := range c.Pools {
			if _, ok := d.config.Pools[pool]; !ok {
				d.conflict(path+".pools", "has a pool that does not exist", "names of pools")
			}
		}
	}
	if h := d.config.History; h.Keep < h.Detail {
		d.conflict("history.keep", "is shorter than history.detail", "at least that")
	}
}

// validateSource sees to it that a calendar comes from one place.
func (d *decoder) validateSource(path string, c *Calendar) {
	sources := 0
	for _, given := range []bool{c.File != "", c.URL != "", c.Query != ""} {
		if given {
			sources++
		}
	}
	switch {
	case c.Name == "":
		d.conflict(path+".name", "is empty", "a name")
	case sources != 1:
		d.conflict(path, fmt.Sprintf("has %d of file, url and query", sources), "one of them")
	case c.URL != "" && !isWebAddress(string(c.URL)):
		d.conflict(path+".url", "is not the address of a web page", "https://…")
	case (c.Query != "") != (c.Database != ""):
		d.conflict(path+".database", "and query belong together", "both or none")
	case c.Query != "":
		p, ok := d.config.Pools[c.Database]
		if !ok || c.Database == Fallback {
			d.conflict(path+".database", "is not a pool", "the name of a pool")
		} else if p.User == "" {
			d.conflict(path+".database", "is a pool whose clients log in as themselves", "a pool with a user")
		}
	}
}

// isWebAddress reports whether a calendar can be fetched from a URL, as internal/calendar/feed does.
func isWebAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && slices.Contains([]string{"https", "http", "webcal", "webcals"}, u.Scheme) && u.Hostname() != ""
}

// validateRushHours wants each to be some time.
func (d *decoder) validateRushHours() {
	for i, r := range d.config.RushHours {
		path := itemPath("rush_hours", i)
		if len(r.Days) == 0 {
			d.conflict(path+".days", "is empty", "at least one of "+strings.Join(weekdays, ", "))
		}
		if r.From >= r.To {
			d.conflict(path+".to", "is not after from", "a later time of the day, at most 24:00; begin the next day anew")
		}
	}
}
