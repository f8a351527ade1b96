package routing

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/backend"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
)

// refusal is a server's ErrorResponse.
func refusal(code, message string) *backend.ServerError {
	var body []byte
	for _, field := range []struct {
		kind byte
		text string
	}{{'S', "FATAL"}, {'C', code}, {'M', message}} {
		if field.text != "" {
			body = append(append(append(body, field.kind), field.text...), 0)
		}
	}
	return &backend.ServerError{Body: append(body, 0)}
}

// TestServersWords: a client has the server's own words if they are about what the client asked for, and can
// be read.
func TestServersWords(t *testing.T) {
	t.Parallel()
	forced, forwarded := routeKey{database: "app"}, routeKey{"app", "ada"}
	for name, tt := range map[string]struct {
		cause error
		key   routeKey
		want  string // SQLSTATE
	}{
		"no such database":               {refusal("3D000", "no"), forced, "3D000"},
		"too many connections":           {refusal("53300", "no"), forced, "53300"},
		"its own password is wrong":      {refusal("28P01", "no"), forwarded, "28P01"},
		"the pool's password is wrong":   {refusal("28P01", "no"), forced, "08006"},
		"the server gives no SQLSTATE":   {refusal("", "no"), forwarded, "08006"},
		"the server gives half of one":   {refusal("3D", "no"), forwarded, "08006"},
		"the server gives no message":    {refusal("3D000", ""), forwarded, "08006"},
		"the server cannot be reached":   {errors.New("connection refused"), forwarded, "08006"},
		"the server says nothing at all": {refusal("", ""), forced, "08006"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := (&Route{key: tt.key}).Worded(pgerr.ServerLogin.With().Because(tt.cause))
			got := ""
			if told, ok := errors.AsType[*pgerr.Error](err); ok {
				got = told.Row.Code
			} else if told, ok := errors.AsType[*backend.ServerError](err); ok {
				got = told.Code()
			}
			if got != tt.want {
				t.Errorf("SQLSTATE %s, want %s", got, tt.want)
			}
		})
	}
	if (&Route{}).Worded(nil) != nil {
		t.Error("an error of nothing")
	}
}

func TestOnlyRefusalsOfParametersCount(t *testing.T) {
	t.Parallel()
	for code, refused := range map[string]bool{
		"42704": true, "22023": true, "55P02": true, "53300": false, "28000": false, "57P03": false, "": false,
	} {
		if got := refusedParameter(refusal(code, "no")); (got != nil) != refused {
			t.Errorf("%q: %v", code, got)
		}
	}
	if refusedParameter(errors.New("timeout")) != nil {
		t.Error("a timeout is no refusal")
	}
}

func TestVettingAsksOnce(t *testing.T) {
	t.Parallel()
	v := newVetting()
	asked := params("TimeZone", "UTC", "application_name", "x", "my.own", "y", "work_mem", "8MB")
	want := params("timezone", "UTC", "work_mem", "8MB")
	if diff := cmp.Diff(want, v.unknown(asked)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	v.add(want)
	if again := v.unknown(asked); again != nil {
		t.Errorf("asks again for %v", again)
	}
	if other := v.unknown(params("timezone", "GMT")); len(other) != 1 {
		t.Errorf("another value: %v", other)
	}
	for i := range maxVetted {
		v.add([]wire.Param{{Name: "n", Value: string(rune(i))}})
	}
	if beyond := v.unknown(params("timezone", "GMT")); beyond != nil {
		t.Errorf("beyond the bound: %v", beyond)
	}
}

func TestOwnParamsWinOverThePools(t *testing.T) {
	t.Parallel()
	pool := params("application_name", "usher", "options", "-c a.b=1")
	got := ownParams(pool, params("Application_Name", "backup", "work_mem", "8MB"))
	want := params("Application_Name", "backup", "options", "-c a.b=1", "work_mem", "8MB")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if pool[0].Value != "usher" {
		t.Error("the pool's own parameters were changed")
	}
}
