package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/scaler"
	"github.com/usher-pg/usher/internal/status"
)

// scale posts a body to /api/v1/scale.
func (f *fakeOperator) scale(t *testing.T, token, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return f.post(t, scalePath, token, body, headers...)
}

func TestTargetsAreOrdered(t *testing.T) {
	t.Parallel()
	f := &fakeOperator{}
	for _, body := range []string{
		`{"pool": "shop", "target": 60}`,
		`{"pool": "shop", "target": 0, "for": "2h", "reason": "a rehearsal"}`,
		`{"pool": "shop", "auto": true}`,
		`{"pool": "shop", "auto": false, "target": 7}`,
	} {
		answer := f.scale(t, testToken, body, allowed...)
		if answer.Code != http.StatusOK || answer.Body.String() != "{\"ok\":true}\n" {
			t.Errorf("%s: %d %s", body, answer.Code, answer.Body)
		}
	}
	want := []string{
		"scale {Pool:shop Target:60 For: By:http 10.0.0.7:5001 Reason:}",
		"scale {Pool:shop Target:0 For:2h By:http 10.0.0.7:5001 Reason:a rehearsal}",
		"scale shop auto by http 10.0.0.7:5001",
		"scale {Pool:shop Target:7 For: By:http 10.0.0.7:5001 Reason:}",
	}
	if diff := cmp.Diff(want, f.orders); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHostileTargetsOrderNothing(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]struct {
		code int
		text string
	}{
		``:                               {400, "the order cannot be read"},
		`null`:                           {400, "pool is missing"},
		`{}`:                             {400, "pool is missing"},
		`[]`:                             {400, "the order cannot be read"},
		`{"target": 5}`:                  {400, "pool is missing"},
		`{"pool": "shop"}`:               {400, "one of target and auto"},
		`{"pool": "shop", "auto":false}`: {400, "one of target and auto"},
		`{"pool": "shop", "target": 5, "auto": true}`:       {400, "one of target and auto"},
		`{"pool": "shop", "auto": true, "for": "1h"}`:       {400, "auto takes a pool only"},
		`{"pool": "shop", "auto": true, "reason": "r"}`:     {400, "auto takes a pool only"},
		`{"pool": "shop", "target": null}`:                  {400, "one of target and auto"},
		`{"pool": "shop", "target": "5"}`:                   {400, "the order cannot be read"},
		`{"pool": "shop", "target": 1e99}`:                  {400, "the order cannot be read"},
		`{"pool": "shop", "target": 5.5}`:                   {400, "the order cannot be read"},
		`{"pool": "shop", "target": NaN}`:                   {400, "the order cannot be read"},
		`{"pool": "shop", "target": 5, "by": "x"}`:          {400, "unknown field"},
		`{"pool": "shop", "target": 5}{"pool": "b"}`:        {400, "there is more behind the order"},
		strings.Repeat("[", maxOrder):                       {400, "the order cannot be read"},
		`{"pool": "` + strings.Repeat("x", maxOrder) + `"}`: {413, "too long"},
	} {
		f := &fakeOperator{}
		answer := f.scale(t, testToken, body, allowed...)
		if answer.Code != want.code || !strings.Contains(answer.Body.String(), want.text) || len(f.orders) > 0 {
			t.Errorf("%.60s: %d %s, ordered %q, want %d %s", body, answer.Code, answer.Body, f.orders, want.code, want.text)
		}
	}
	for _, token := range []string{"", "another token 123"} {
		f := &fakeOperator{}
		answer := f.scale(t, token, `{"pool": "shop", "target": 5}`, allowed...)
		if answer.Code != http.StatusForbidden && answer.Code != http.StatusUnauthorized || len(f.orders) > 0 {
			t.Errorf("with the token %q configured: %d %s, ordered %q", token, answer.Code, answer.Body, f.orders)
		}
	}
}

func TestRefusedTargetsBecomeStatusCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		code int
		text string
	}{
		{status.NoPool("shop"), 404, "no such database: shop"},
		{status.Refuse(status.WrongState, "no target is set"), 409, "no target is set"},
		{status.Refuse(status.InvalidValue, "size.max is 20"), 400, "size.max is 20"},
		{errors.New("a secret"), 500, "the order failed"},
	} {
		answer := (&fakeOperator{err: test.err}).scale(t, testToken, `{"pool":"shop","target":5}`, allowed...)
		if want := fmt.Sprintf("{\"error\":%q}\n", test.text); answer.Code != test.code || answer.Body.String() != want {
			t.Errorf("%v: %d %s, want %d %s", test.err, answer.Code, answer.Body, test.code, want)
		}
	}
}

// foreseen has two pools of a database with a forecast of 14 days, and one without.
func foreseen() status.Snapshot {
	s := healthy()
	s.Now = time.Date(2026, 11, 21, 18, 30, 0, 0, time.UTC)
	for _, user := range []string{"ann", "bob"} {
		f := status.Forecast{Database: "shop", User: user}
		f.Timezone = "UTC"
		for at := s.Now; at.Before(s.Now.Add(maxHorizon)); at = at.Add(time.Hour) {
			f.Points = append(f.Points, scaler.Row{Point: forecast.Point{Start: at, Width: time.Hour, P50: 3}})
		}
		f.Spikes = []scaler.Spike{{Start: s.Now.Add(30 * time.Hour), End: s.Now.Add(31 * time.Hour)}}
		s.Forecasts = append(s.Forecasts, f)
	}
	absent := status.Forecast{Database: "blog", User: "ann", Trouble: "the history is not open"}
	absent.Absent, absent.Points, absent.Spikes = "there is no forecast", []scaler.Row{}, []scaler.Spike{}
	s.Forecasts = append(s.Forecasts, absent)
	return s
}

func TestForecastsAreToldAsFarAsIsAsked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		path           string
		user           string
		points, spikes int
		absent         string
	}{
		{"shop/forecast", "ann", 24, 0, ""},
		{"shop/forecast?horizon=1h", "ann", 1, 0, ""},
		{"shop/forecast?horizon=90m", "ann", 2, 0, ""},
		{"shop/forecast?horizon=1ns", "ann", 1, 0, ""},
		{"shop/forecast?horizon=31h", "ann", 31, 1, ""},
		{"shop/forecast?horizon=336h&user=bob", "bob", 336, 1, ""},
		{"blog/forecast", "ann", 0, 0, "there is no forecast"},
	} {
		source := &fakeSource{snapshot: foreseen()}
		answer := ask(t, source, "GET", "/api/v1/pools/"+test.path, nil)
		var got status.Forecast
		if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil || answer.Code != http.StatusOK {
			t.Errorf("%s: %d %s: %v", test.path, answer.Code, answer.Body, err)
			continue
		}
		if len(got.Points) != test.points || len(got.Spikes) != test.spikes || got.User != test.user ||
			got.Absent != test.absent || (test.absent != "") != (got.Trouble != "") {
			t.Errorf("%s: %d points and %d spikes of %s, %q, %q", test.path, len(got.Points), len(got.Spikes), got.User,
				got.Absent, got.Trouble)
		}
		if source.asked != 0 {
			t.Errorf("%s: asked for a snapshot of %b", test.path, source.asked)
		}
		if body := answer.Body.String(); strings.Contains(body, `"points":null`) || strings.Contains(body, `"spikes":null`) {
			t.Errorf("%s: null for an empty list", test.path)
		}
	}
}

func TestForecastsThatCannotBeToldSayWhy(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]struct {
		code int
		text string
	}{
		"shop/forecast?horizon=336h1ns":     {400, "horizon must be a duration up to 336h"},
		"shop/forecast?horizon=0s":          {400, "horizon must be"},
		"shop/forecast?horizon=-1h":         {400, "horizon must be"},
		"shop/forecast?horizon=24":          {400, "horizon must be"},
		"shop/forecast?horizon=99999999h":   {400, "horizon must be"},
		"shop/forecast?horizon=soon":        {400, "horizon must be"},
		"shop/forecast?user=ann;horizon=1h": {400, "the parameters cannot be read: expected name=value"},
		"shop/forecast?user=%g":             {400, "the parameters cannot be read"},
		"shop/forecast?user=ann%3Bx":        {404, "there is no such pool now"},
		"shop/forecast?user=carol":          {404, "there is no such pool now"},
		"nothing/forecast":                  {404, "there is no such pool now"},
		"%00/forecast":                      {404, "there is no such pool now"},
		"..%2f..%2fetc%2fpasswd/forecast":   {404, "there is no such pool now"},
		"shop%2fann/forecast?horizon=1h":    {404, "there is no such pool now"},
		"shop/forecast/more":                {404, ""},
		"shop":                              {404, ""},
	} {
		answer := ask(t, &fakeSource{snapshot: foreseen()}, "GET", "/api/v1/pools/"+path, nil)
		if answer.Code != want.code || !strings.Contains(answer.Body.String(), want.text) {
			t.Errorf("%s: %d %s, want %d %s", path, answer.Code, answer.Body, want.code, want.text)
		}
	}
	if answer := ask(t, &fakeSource{}, "POST", "/api/v1/pools/shop/forecast", nil); answer.Code != 405 {
		t.Errorf("POST: %d", answer.Code)
	}
}

// post sends an order; headers come as name, value, ….
func (f *fakeOperator) post(t *testing.T, path, token, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	s := New(Config{
		Source: &fakeSource{}, Metrics: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler), Operator: f,
		Token: func() string { return token },
	})
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	request.RemoteAddr = "10.0.0.7:5001"
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	s.Handler().ServeHTTP(answer, request)
	return answer
}
