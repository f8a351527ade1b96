//go:build integration

package server

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/status"
)

// TestAReloadChangesCalendarsAndRushHours, and what needs a restart stays as it was.
func TestAReloadChangesCalendarsAndRushHours(t *testing.T) {
	text := func(more string) string {
		return `
listen: ["127.0.0.1:0"]
auth: {type: trust}
admin_users: [postgres]
timezone: UTC
pools:
  app:
    url: postgres://postgres@{{server}}/postgres?sslmode=disable
    scaling: {mode: observe, normal: 4}
` + more
	}
	l := start(t, text("rush_hours: []\n"))
	l.connect("postgres", "app").expect("SELECT 1", "1")
	dir := filepath.Dir(l.path)
	soon := time.Now().Add(2 * time.Hour).UTC()
	for _, name := range []string{"weddings", "trips"} {
		event := fmt.Sprintf("start,end,guests,name\n%s,%s,100,%s\n", soon.Format(time.RFC3339),
			soon.Add(time.Hour).Format(time.RFC3339), name)
		if err := os.WriteFile(filepath.Join(dir, name+".csv"), []byte(event), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reload := func(more string) {
		t.Helper()
		l.write(strings.NewReplacer("{{server}}", l.backend, "{{dir}}", dir).Replace(text(more)))
		if err := l.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		more string
		want []string
	}{
		{`calendars: [{name: a, file: "{{dir}}/weddings.csv"}]`, []string{"weddings"}},
		{
			`calendars: [{name: a, file: "{{dir}}/weddings.csv"}, {name: b, file: "{{dir}}/trips.csv"}]`,
			[]string{"trips", "weddings"},
		},
		{`calendars: [{name: b, file: "{{dir}}/trips.csv"}]`, []string{"trips"}},
		{``, nil},
	} {
		reload("rush_hours: []\n" + step.more + "\n")
		eventually(t, fmt.Sprintf("after %q the events are %v", step.more, step.want), func() bool {
			return slices.Equal(l.events(t), step.want)
		})
	}
	// Half the hours of every day bring ten times as much.
	const rush = `rush_hours: [{days: [sun, mon, tue, wed, thu, fri, sat], from: "00:00", to: "12:00", times: 10}]` + "\n"
	reload(rush + "history: {store: \"{{dir}}/elsewhere.db\", keep: 400d}\n")
	eventually(t, "the rush hours are in the forecast", func() bool { return l.scaling(t).Next != nil })
	if h := l.inForce().History; h.Store.Path != "auto" || h.Keep == 400*24*time.Hour {
		t.Errorf("the history became %+v without a restart", h)
	}
	reload("rush_hours: []\n")
	eventually(t, "and no longer", func() bool { return l.scaling(t).Next == nil })
	if strings.Contains(l.log.String(), "level=ERROR") {
		t.Errorf("log:\n%s", l.log)
	}
}

// events are the names of those that come.
func (l *live) events(t *testing.T) []string {
	t.Helper()
	shot, err := l.Snapshot(t.Context(), status.SectionCalendars)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range shot.Events {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return names
}
