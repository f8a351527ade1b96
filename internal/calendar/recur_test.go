package calendar

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/teambition/rrule-go"
)

// TestRulesAreTheSameLater compares rules expanded near the year 9999, as they are here, with rrule-go in their own
// time.
func TestRulesAreTheSameLater(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	pick := func(texts ...string) string { return texts[random.IntN(len(texts))] }
	occurrences := 0
	for range 80 {
		text := "FREQ=" + pick("DAILY", "WEEKLY", "MONTHLY", "YEARLY") + fmt.Sprintf(";INTERVAL=%d", 1+random.IntN(5)) +
			pick("", "", ";BYMONTH=2,6", ";BYMONTH=12,1") + pick("", "", ";BYMONTHDAY=-1,29", ";BYMONTHDAY=5") +
			pick("", "", ";BYDAY=SA,MO", ";BYDAY=SU") + pick("", ";BYSETPOS=-1,2") + pick("", ";BYHOUR=9,18") +
			pick("", ";WKST=SU") + pick("", ";COUNT=9")
		start := day(1990+random.IntN(100), 1+random.IntN(12), 1+random.IntN(28)).Add(18 * time.Hour)
		end := start.AddDate(6, 0, 0)
		option, err := rrule.StrToROption(text)
		if err != nil {
			t.Fatal(err)
		}
		option.Dtstart, option.Until = start, end.Add(-time.Second)
		library, err := rrule.NewRRule(*option)
		if err != nil {
			t.Fatal(err)
		}
		want := library.All()
		if len(want) == 0 || !want[0].Equal(start) {
			want = slices.Insert(want, 0, start)
		}
		parsed, err := parseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		r := newReader(Options{From: start, To: end})
		got, err := r.expand(parsed, start, span{start, end}, utc)
		if err != nil || !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Fatalf("%s from %v: %v, got %v, want %v (seed %d)", text, start, err, got, want, seed)
		}
		occurrences += len(got)
	}
	if occurrences < 200 {
		t.Errorf("compared only %d occurrences (seed %d)", occurrences, seed)
	}
}
