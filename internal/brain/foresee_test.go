package brain

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/history"
)

// TestAForecastIsKeptOnceADayAndLearnedFrom: what was said of a day is held against what came.
func TestAForecastIsKeptOnceADayAndLearnedFrom(t *testing.T) {
	t.Parallel()
	s := newStage(t, onePool("observe", ""))
	fill(t, s.path(), "shop", 22, saturday.AddDate(0, 0, 3))
	stop := s.keeping()
	defer stop()
	s.awaitHistory()
	p := s.poolsNow()[0]
	for n := range 3 {
		for range 2 { // times a day
			s.foreseePool(t.Context(), &p)
			s.jump(2 * time.Hour)
		}
		s.jump(20 * time.Hour)
		s.awaitHistory()
		store, _ := s.keeper.Store()
		kept, err := store.Forecasts(t.Context(), "shop", saturday.Add(-day), saturday.AddDate(0, 0, 9))
		if err != nil || len(kept) != n+1 {
			t.Fatalf("after %d days %d forecasts are kept: %v", n+1, len(kept), err)
		}
	}
	s.foreseePool(t.Context(), &p)
	o := s.outlooks["shop"]
	if o.accuracy.Points < 24 || o.accuracy.WAPE > 0.2 || o.accuracy.WAPE < 0 {
		t.Errorf("accuracy of a demand that is the same every day: %+v", o.accuracy)
	}
	if o.calibration == (forecast.Calibration{}) {
		t.Error("nothing was learned from what came")
	}
	s.look(s.time())
	if f := s.Forecasts()[0]; f.Accuracy == nil || f.Accuracy.Points != o.accuracy.Points || f.Absent != "" {
		t.Errorf("shown: %+v, %q", f.Accuracy, f.Absent)
	}
	if got := s.scaling("shop"); got.Next != nil || got.Days < 20 || len(got.Horizons) == 0 { // each noon is usual
		t.Errorf("shown: next %+v, %v days, %d horizons", got.Next, got.Days, len(got.Horizons))
	}
	if s.log.count("level=ERROR")+s.log.count("level=WARN") > 0 {
		t.Errorf("logged:\n%s", s.log)
	}
}

// TestForecastsAreNotMadeForPoolsThatNeedNone, and go when they need none any more.
func TestForecastsAreNotMadeForPoolsThatNeedNone(t *testing.T) {
	t.Parallel()
	s := newStage(t, onePool("observe", ""))
	stop := s.keeping()
	defer stop()
	s.awaitHistory()
	for _, step := range []struct {
		mode string
		want int
	}{{"observe", 1}, {"off", 0}, {"scale", 1}} {
		s.reload(onePool(step.mode, ""))
		s.foreseePools(t.Context())
		if len(s.outlooks) != step.want {
			t.Errorf("in mode %s there are %d outlooks", step.mode, len(s.outlooks))
		}
	}
}

// TestAShortfallIsToldOnce: the noon of each day needs more than the pool may have.
func TestAShortfallIsToldOnce(t *testing.T) {
	t.Parallel()
	const yaml = `
auth: {type: trust}
timezone: UTC
rush_hours: []
tuning: "off"
pools:
  shop: {url: "postgres://shop@10.0.0.9/shop", size: {min: 2, max: 20}}
`
	s := newStage(t, yaml)
	fill(t, s.path(), "shop", 20, saturday)
	stop := s.keeping()
	defer stop()
	s.awaitHistory()
	s.pass(10 * time.Second)
	for range 2 {
		s.foreseePools(t.Context())
		s.jump(10 * time.Minute)
	}
	found := len(s.Shortfalls())
	if found < 10 || s.log.count("shortfall ahead") != found {
		t.Errorf("%d shortfalls of 14 days, %d lines about them", found, s.log.count("shortfall ahead"))
	}
	for _, f := range s.Shortfalls() {
		if f.Pool != "shop" || f.Have != 20 || f.Missing() < 10 || f.Peak.Hour() != 12 {
			t.Errorf("%+v", f)
		}
	}
}

// TestRushHoursReachToTheEndOfTheDay, and no further.
func TestRushHoursReachToTheEndOfTheDay(t *testing.T) {
	t.Parallel()
	s := newStage(t, `
auth: {type: trust}
timezone: Europe/Berlin
rush_hours: [{days: [sat], from: 20:00, to: 24:00, times: 2.5}]
pools:
  shop: {url: "postgres://shop@10.0.0.9/shop", size: {min: 2, max: 60}, scaling: {normal: 8}}
`)
	stop := s.keeping()
	defer stop()
	s.awaitHistory()
	s.look(s.time())
	s.foreseePools(t.Context())
	for _, p := range s.Forecasts()[0].Points {
		local := p.Start.In(zoneOf(s.inForce()))
		want := 8.0
		if local.Weekday() == time.Saturday && local.Hour() >= 20 {
			want = 20
		}
		if p.P50 != want {
			t.Errorf("at %v %v are expected, not %v", local, p.P50, want)
		}
	}
}

// TestShortfallsLeaveReservesOut: what pools keep for emergencies is nothing that targets can have.
func TestShortfallsLeaveReservesOut(t *testing.T) {
	t.Parallel()
	yaml := func(budget, reserve int) string {
		return fmt.Sprintf(`
auth: {type: trust}
timezone: UTC
rush_hours: []
tuning: "off"
budgets: {"10.0.0.9:5432": %d}
pools:
  shop: {url: "postgres://shop@10.0.0.9/shop", size: {min: 2, max: 100, reserve: %d}, scaling: {mode: scale}}
  blog: {url: "postgres://blog@10.0.0.9/blog", size: {min: 2, max: 100, reserve: %d}, scaling: {mode: scale}}
`, budget, reserve, reserve)
	}
	s := newStage(t, yaml(60, 0))
	fill(t, s.path(), "shop", 20, saturday)
	stop := s.keeping()
	defer stop()
	s.awaitHistory()
	s.pass(10 * time.Second)
	s.foreseePools(t.Context())
	before := s.Shortfalls()
	if len(before) < 10 || before[0].Pool != "" || before[0].Have != 60 {
		t.Fatalf("with a budget of 60: %+v", before)
	}
	needed := before[len(before)-1].Needed // of a noon that is usual

	s.reload(yaml(needed+7, 0))
	s.pass(10 * time.Second)
	s.foreseePools(t.Context())
	if got := s.Shortfalls(); len(got) > 0 {
		t.Fatalf("with a budget of %d: %+v", needed+7, got)
	}
	s.reload(yaml(needed+7, 8)) // each of two pools
	s.pass(10 * time.Second)
	s.foreseePools(t.Context())
	if got := s.Shortfalls(); len(got) < 10 || got[0].Have != needed-9 || got[0].Missing() < 1 {
		t.Errorf("with a budget of %d of which 16 are reserve: %+v", needed+7, got)
	}
}

func TestRunEndsAndWritesWhatIsNotFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, onePool("scale", ""))
		s.options.Clock.Now = time.Now
		stop := s.run()
		time.Sleep(100*time.Second + time.Millisecond)
		stop()
		if got := s.written("shop"); len(got) != 1 || got[0].Samples != 100 || got[0].Until == 0 {
			t.Errorf("written of 100 seconds: %+v", got)
		}
		if h := s.History(); h.Waiting > 0 || h.Trouble != "" {
			t.Errorf("the history afterwards: %+v", h)
		}
	})
}

// BenchmarkLook is what the brain does each second, with ten pools of a server.
func BenchmarkLook(b *testing.B) {
	s := tenPools(b)
	for b.Loop() {
		s.jump(time.Second)
		s.look(s.time())
	}
	b.ReportMetric(100*b.Elapsed().Seconds()/float64(b.N), "%ofacore")
}

// BenchmarkForesee is a round of forecasts with a year of history: two months in steps of five minutes, the rest by the
// hour. By routine it is made when 200 times as long has passed.
func BenchmarkForesee(b *testing.B) {
	s := newStage(b, onePool("scale", ""))
	fill(b, s.path(), "shop", 365, saturday)
	stop := s.keeping()
	defer stop()
	s.awaitHistory()
	store, _ := s.keeper.Store()
	if err := store.Retain(context.Background(), saturday, retention(s.inForce())); err != nil {
		b.Fatal(err)
	}
	s.look(s.time())
	for b.Loop() {
		s.jump(history.Step)
		s.foreseePools(b.Context())
	}
}

// tenPools is a stage with ten pools of one server, each with a forecast.
func tenPools(b *testing.B) *stage {
	b.Helper()
	yaml := "auth: {type: trust}\ntuning: \"on\"\npools:\n"
	for i := range 10 {
		yaml += fmt.Sprintf("  shop%d: {url: \"postgres://shop@10.0.0.9/shop%d\", scaling: {mode: scale}}\n", i, i)
	}
	s := newStage(b, yaml)
	for _, p := range s.poolsNow() {
		fill(b, s.path(), p.Name, 15, saturday)
	}
	b.Cleanup(s.keeping())
	s.awaitHistory()
	s.foreseePools(b.Context())
	s.look(s.time())
	return s
}

// BenchmarkOutlook is KEDA's question about one of ten pools.
func BenchmarkOutlook(b *testing.B) {
	s := tenPools(b)
	for b.Loop() {
		if o, err := s.Outlook("shop7", 0.9, 45*time.Minute); err != nil || o.Absent != "" || o.Target < 1 {
			b.Fatal(o, err)
		}
	}
}

// BenchmarkForecast is a day's forecast of one of ten pools.
func BenchmarkForecast(b *testing.B) {
	s := tenPools(b)
	for b.Loop() {
		if f, ok := s.ForecastOf("shop7", "", day); !ok || f.Absent != "" || len(f.Points) < 200 {
			b.Fatal(ok, len(f.Points), f.Absent)
		}
	}
}
