package brain

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/keda"
	"github.com/usher-pg/usher/pool"
)

// eachUser is a configuration in which each user has a pool.
const eachUser = `
auth: {type: trust}
timezone: UTC
rush_hours: []
tuning: "off"
pools:
  shop: {url: "postgres://10.0.0.9/shop", size: {min: 2, max: 60}, scaling: {mode: scale}}
`

// add adds the pool of another user.
func (s *stage) add(user string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	p := s.pools[0]
	p.User, p.Name = user, NameOf(p.Database, user, false)
	s.engines[p.Name] = &engine{sample: pool.Sample{Busy: 3, Open: 4}}
	p.Engine = s.engines[p.Name]
	s.pools = append(s.pools, p)
}

// TestOutlookSumsUpTheUsersOfADatabase: one who is new has no forecast, and is what is measured.
func TestOutlookSumsUpTheUsersOfADatabase(t *testing.T) {
	t.Parallel()
	s := newStage(t, eachUser)
	if _, err := s.Outlook("shop", 0.9, time.Hour); !errors.Is(err, keda.ErrNoPool) {
		t.Errorf("before the first look: %v", err)
	}
	s.add("bob")
	fill(t, s.path(), "shop/ann", 20, saturday)
	stop := s.keeping()
	defer stop()
	s.pass(time.Second)
	if o, err := s.Outlook("shop", 0.9, time.Hour); err != nil || o.Absent == "" || o.Measured != 7 {
		t.Errorf("without any forecast: %+v, %v", o, err)
	}
	s.awaitHistory()
	s.foreseePools(t.Context())
	ann, err := s.Outlook("shop/ann", 0.9, 30*time.Minute)
	if err != nil || ann.Absent != "" || ann.Measured != 4 || ann.Demand < 38 || ann.Demand > 60 || ann.Target < 50 {
		t.Errorf("at noon of ann: %+v, %v", ann, err)
	}
	all, err := s.Outlook("shop", 0.9, 30*time.Minute)
	if err != nil || all.Absent != "" || all.Measured != 7 || all.Demand != ann.Demand+3 || all.Target <= ann.Target {
		t.Errorf("of both: %+v, %v; of ann %+v", all, err, ann)
	}
	s.jump(2 * time.Hour)
	s.foreseePools(t.Context())
	if later, err := s.Outlook("shop/ann", 0.9, 30*time.Minute); err != nil || later.Demand > 12 {
		t.Errorf("at two of ann: %+v, %v", later, err)
	}
}

func TestForecastOfIsWhatForecastsSay(t *testing.T) {
	t.Parallel()
	s := newStage(t, eachUser)
	s.add("bob")
	fill(t, s.path(), "shop/bob", 20, saturday)
	stop := s.keeping()
	defer stop()
	s.awaitHistory()
	s.pass(time.Second)
	s.foreseePools(t.Context())
	all := s.Forecasts()
	if len(all) != 2 {
		t.Fatalf("forecasts: %+v", all)
	}
	for i, user := range []string{"ann", "bob"} {
		f, ok := s.ForecastOf("shop", user, day)
		all[i].Limit(s.time().Add(day))
		if !ok || f.User != user || f.Pool != all[i].Pool || len(f.Points) != len(all[i].Points) ||
			(f.Absent != "") != (user == "ann") {
			t.Errorf("of %s: %v, %q of %q with %d points; expected %d", user, ok, f.Absent, f.Pool, len(f.Points),
				len(all[i].Points))
		}
		if diff := cmp.Diff(all[i].Points, f.Points); diff != "" {
			t.Errorf("of %s (-all +part):\n%s", user, diff)
		}
	}
	if f, ok := s.ForecastOf("shop", "", day); !ok || f.User != "ann" {
		t.Errorf("of nobody: %v, %q", ok, f.User)
	}
	for _, of := range [][2]string{{"shop", "carol"}, {"blog", ""}, {"", ""}, {"shop/ann", ""}} {
		if _, ok := s.ForecastOf(of[0], of[1], day); ok {
			t.Errorf("%q has a forecast", of)
		}
	}
}
