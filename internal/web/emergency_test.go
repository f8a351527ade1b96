package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/status"
)

const testToken = "0123456789abcdef"

// fakeOperator writes down what it was ordered.
type fakeOperator struct {
	orders []string
	err    error
}

func (f *fakeOperator) BeginEmergency(_ context.Context, o status.EmergencyOrder) error {
	f.orders = append(f.orders, fmt.Sprintf("on %+v", o))
	return f.err
}

func (f *fakeOperator) EndEmergency(_ context.Context, pool, by string) error {
	f.orders = append(f.orders, fmt.Sprintf("off %s by %s", pool, by))
	return f.err
}

func (f *fakeOperator) Scale(_ context.Context, o status.ScaleOrder) error {
	f.orders = append(f.orders, fmt.Sprintf("scale %+v", o))
	return f.err
}

func (f *fakeOperator) EndScale(_ context.Context, pool, by string) error {
	f.orders = append(f.orders, fmt.Sprintf("scale %s auto by %s", pool, by))
	return f.err
}

// order posts a body; headers come as name, value, ….
func (f *fakeOperator) order(t *testing.T, token, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return f.post(t, emergencyPath, token, body, headers...)
}

// allowed are the headers of somebody who may order.
var allowed = []string{"Authorization", "Bearer " + testToken, "Content-Type", "application/json"}

func TestOrdersAreCarriedOut(t *testing.T) {
	t.Parallel()
	f := &fakeOperator{}
	for _, body := range []string{
		`{"action": "on"}`,
		`{"action": "on", "pool": "shop", "for": "30m", "lane": "low", "reason": "the cake"}`,
		`{"action": "off"}`,
		`{"action": "off", "pool": "shop"}`,
	} {
		answer := f.order(t, testToken, body, allowed...)
		if answer.Code != http.StatusOK || answer.Body.String() != "{\"ok\":true}\n" {
			t.Errorf("%s: %d %s", body, answer.Code, answer.Body)
		}
	}
	want := []string{
		"on {Pool: Lane: For: By:http 10.0.0.7:5001 Reason:}",
		"on {Pool:shop Lane:low For:30m By:http 10.0.0.7:5001 Reason:the cake}",
		"off  by http 10.0.0.7:5001",
		"off shop by http 10.0.0.7:5001",
	}
	if diff := cmp.Diff(want, f.orders); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhoMayNotOrderOrDoesNotSayWhatOrdersNothing(t *testing.T) {
	t.Parallel()
	const body = `{"action": "on"}`
	with := func(name, value string) []string {
		return append(append([]string{}, allowed...), name, value)
	}
	tests := map[string]struct {
		token, body string
		headers     []string
		code        int
		text        string
	}{
		"no token is configured": {"", body, allowed, 403, "orders over http are off"},
		"nor is it when none is sent": {
			"", body, with("Authorization", "Bearer "), 403, "orders over http are off",
		},
		"no token is sent":      {testToken, body, allowed[2:], 401, "the token is missing or wrong"},
		"another token":         {testToken, body, with("Authorization", "Bearer "+testToken+"x"), 401, "the token is"},
		"a part of the token":   {testToken, body, with("Authorization", "Bearer "+testToken[1:]), 401, "the token is"},
		"another scheme":        {testToken, body, with("Authorization", "Basic "+testToken), 401, "the token is"},
		"a form":                {testToken, body, with("Content-Type", "text/plain"), 415, "application/json"},
		"no type":               {testToken, body, with("Content-Type", ""), 415, "application/json"},
		"no body":               {testToken, "", allowed, 400, "the order cannot be read"},
		"no JSON":               {testToken, "action=on", allowed, 400, "the order cannot be read"},
		"a list":                {testToken, "[]", allowed, 400, "the order cannot be read"},
		"something unknown":     {testToken, `{"action":"on","by":"me"}`, allowed, 400, "unknown field"},
		"more behind the order": {testToken, body + body, allowed, 400, "there is more behind the order"},
		"no action":             {testToken, `{"pool":"shop"}`, allowed, 400, `action must be`},
		"another action":        {testToken, `{"action":"ON"}`, allowed, 400, `action must be`},
		"too much for off":      {testToken, `{"action":"off","for":"5m"}`, allowed, 400, "takes a pool only"},
		"a long order": {
			testToken, `{"action":"on","reason":"` + strings.Repeat("x", maxOrder) + `"}`, allowed, 413, "too long",
		},
	}
	for name, test := range tests {
		f := &fakeOperator{}
		answer := f.order(t, test.token, test.body, test.headers...)
		if answer.Code != test.code || !strings.Contains(answer.Body.String(), test.text) ||
			!strings.HasPrefix(answer.Body.String(), `{"error":"`) {
			t.Errorf("%s: %d %s, want %d %s", name, answer.Code, answer.Body, test.code, test.text)
		}
		if strings.Contains(answer.Body.String(), testToken) {
			t.Errorf("%s: the token is in the answer", name)
		}
		if (test.code == 401) != (answer.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("%s: WWW-Authenticate is %q", name, answer.Header().Get("WWW-Authenticate"))
		}
		if len(f.orders) > 0 {
			t.Errorf("%s: ordered %q", name, f.orders)
		}
	}
}

func TestRefusalsOfTheOperatorBecomeStatusCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		code int
		text string
	}{
		{status.NoPool("shop"), 404, "no such database: shop"},
		{status.ErrNoEmergency, 409, "no emergency is in force"},
		{status.Refuse(status.InvalidValue, "an emergency lasts from 1s"), 400, "an emergency lasts from 1s"},
		{errors.New("a secret"), 500, "the order failed"},
	} {
		answer := (&fakeOperator{err: test.err}).order(t, testToken, `{"action":"on"}`, allowed...)
		if want := fmt.Sprintf("{\"error\":%q}\n", test.text); answer.Code != test.code || answer.Body.String() != want {
			t.Errorf("%v: %d %s, want %d %s", test.err, answer.Code, answer.Body, test.code, want)
		}
	}
}
