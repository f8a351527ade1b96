package status

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestATargetIsReadOrRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		order ScaleOrder
		span  time.Duration
		why   string
	}{
		{ScaleOrder{}, time.Hour, ""},
		{ScaleOrder{Pool: "shop", Target: 60, For: "1h30m", By: "ann", Reason: "a rehearsal"}, 90 * time.Minute, ""},
		{ScaleOrder{For: "1s"}, time.Second, ""},
		{ScaleOrder{For: "168h", Reason: strings.Repeat("ü", MaxReason/2)}, 7 * 24 * time.Hour, ""},
		{ScaleOrder{Target: math.MaxInt}, time.Hour, ""}, // who knows size.max refuses it
		{ScaleOrder{For: "30"}, 0, "with a unit"},
		{ScaleOrder{For: "7d"}, 0, "with a unit"},
		{ScaleOrder{For: " 1h"}, 0, "with a unit"},
		{ScaleOrder{For: "9999999h"}, 0, "with a unit"}, // overflows
		{ScaleOrder{For: "999ms"}, 0, "a second up to"},
		{ScaleOrder{For: "-1h"}, 0, "a second up to"},
		{ScaleOrder{For: "168h1ns"}, 0, "a second up to"},
		{ScaleOrder{Target: -1}, 0, "a number of server connections"},
		{ScaleOrder{Reason: strings.Repeat("x", MaxReason+1)}, 0, "one line"},
		{ScaleOrder{Reason: "a\x1b[2J"}, 0, "one line"},
		{ScaleOrder{Reason: "\xff"}, 0, "one line"},
	} {
		span, err := test.order.Check()
		if test.why == "" {
			if err != nil || span != test.span {
				t.Errorf("%+v: %v, %v", test.order, span, err)
			}
			continue
		}
		refused, ok := errors.AsType[*Refusal](err)
		if !ok || refused.Cause != InvalidValue || !strings.Contains(refused.Text, test.why) {
			t.Errorf("%+v: %v, expected a refusal with %q", test.order, err, test.why)
		}
	}
}

func TestTheAgeOfACalendarsCopy(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		fetched time.Time
		want    time.Duration
	}{
		{time.Time{}, 0}, {now.Add(-time.Hour), time.Hour}, {now, 0},
		{now.Add(time.Hour), 0}, // the clock was set back
	} {
		if got := (&Calendar{Copy: test.fetched}).Age(now); got != test.want {
			t.Errorf("a copy of %v is %v old, want %v", test.fetched, got, test.want)
		}
	}
}
