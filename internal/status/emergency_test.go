package status

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/pool"
)

func TestAnOrderIsReadOrRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		order EmergencyOrder
		lane  pool.Lane
		span  time.Duration
		why   string
	}{
		{EmergencyOrder{}, pool.Normal, 30 * time.Minute, ""},
		{EmergencyOrder{Lane: "High", For: "1h30m"}, pool.High, 90 * time.Minute, ""},
		{EmergencyOrder{Lane: "low", For: "1s"}, pool.Low, time.Second, ""},
		{EmergencyOrder{For: "24h", Reason: strings.Repeat("ü", MaxReason/2)}, pool.Normal, 24 * time.Hour, ""},
		{EmergencyOrder{Lane: "urgent"}, 0, 0, "no such lane"},
		{EmergencyOrder{For: "30"}, 0, 0, "with a unit"},
		{EmergencyOrder{For: "1d"}, 0, 0, "with a unit"},
		{EmergencyOrder{For: "999ms"}, 0, 0, "lasts from"},
		{EmergencyOrder{For: "-1h"}, 0, 0, "lasts from"},
		{EmergencyOrder{For: "24h1s"}, 0, 0, "lasts from"},
		{EmergencyOrder{For: "9999999h"}, 0, 0, "with a unit"}, // overflows
		{EmergencyOrder{Reason: strings.Repeat("x", MaxReason+1)}, 0, 0, "one line"},
		{EmergencyOrder{Reason: "a\x1b[2J"}, 0, 0, "one line"},
		{EmergencyOrder{Reason: "\xff"}, 0, 0, "one line"},
	} {
		lane, span, err := test.order.Check()
		if test.why == "" {
			if err != nil || lane != test.lane || span != test.span {
				t.Errorf("%+v: %v, %v, %v", test.order, lane, span, err)
			}
			continue
		}
		refused, ok := errors.AsType[*Refusal](err)
		if !ok || refused.Cause != InvalidValue || !strings.Contains(refused.Text, test.why) {
			t.Errorf("%+v: %v, expected a refusal with %q", test.order, err, test.why)
		}
	}
}
