package server

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/login"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
	engine "github.com/usher-pg/usher/pool"
)

func params(pairs ...string) []wire.Param {
	var list []wire.Param
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, wire.Param{Name: pairs[i], Value: pairs[i+1]})
	}
	return list
}

func TestWishes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		named, options []wire.Param
		ignored        []string
		want           []wire.Param
		lane           engine.Lane
		asks           bool
		refused        *pgerr.Row
	}{
		"nothing": {want: []wire.Param{}},
		"what is named counts more than options, so it comes later": {
			named: params("DateStyle", "ISO"), options: params("datestyle", "SQL"),
			want: params("datestyle", "SQL", "DateStyle", "ISO"),
		},
		"ignored parameters are dropped wherever they stand": {
			named:   params("extra_float_digits", "3", "TimeZone", "UTC"),
			options: params("Extra_Float_Digits", "1", "work_mem", "8MB"),
			ignored: []string{"extra_float_digits"},
			want:    params("work_mem", "8MB", "TimeZone", "UTC"),
		},
		"options can be ignored as a whole": {
			named: params("TimeZone", "UTC"), options: params("work_mem", "8MB", "usher.lane", "critical"),
			ignored: []string{"options"}, want: params("TimeZone", "UTC"),
		},
		"the lane is usher's": {
			options: params("usher.lane", "critical", "work_mem", "8MB"), want: params("work_mem", "8MB"),
			lane: engine.Critical, asks: true,
		},
		"a named lane counts more": {
			named: params("Usher.Lane", "low"), options: params("usher.lane", "critical"), want: []wire.Param{},
			lane: engine.Low, asks: true,
		},
		"a lane that does not exist": {named: params("usher.lane", "urgent"), refused: pgerr.InvalidParameter},
		"no setting of usher's":      {named: params("usher.line", "low"), refused: pgerr.UnsupportedParameter},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := wishesOf(&login.Client{Params: tt.named, Settings: tt.options}, tt.ignored)
			told, ok := errors.AsType[*pgerr.Error](err)
			if ok != (tt.refused != nil) || ok && told.Row != tt.refused {
				t.Fatalf("error %v, want %v", err, tt.refused)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tt.want, got.settings); diff != "" || got.lane != tt.lane || got.asks != tt.asks {
				t.Errorf("lane %v, want %v; parameters (-want +got):\n%s", got.lane, tt.lane, diff)
			}
		})
	}
}
