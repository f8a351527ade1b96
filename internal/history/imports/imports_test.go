package imports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/history"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// lines shows buckets.
func lines(buckets []history.Bucket) []string {
	var list []string
	for _, b := range buckets {
		text := fmt.Sprintf("%s %v %d: %g %g %g", b.Start.Format("2006-01-02T15:04"), b.Width, b.Samples,
			b.Mean, b.P95, b.Max)
		if b.Arrivals > 0 || b.Service > 0 {
			text += fmt.Sprintf(", %g arrivals of %v", b.Arrivals, b.Service)
		}
		if b.CutOff || b.Outage {
			text += fmt.Sprintf(", cut off %v, outage %v", b.CutOff, b.Outage)
		}
		list = append(list, text)
	}
	return list
}

func TestCSV(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text, zone string
		want       []string
	}{
		"plain": {
			"time,count\n2026-06-20T18:00:00Z,3\n2026-06-20T18:05:00Z,4.5\n", "",
			[]string{"2026-06-20T18:00 5m0s 300: 3 3 3", "2026-06-20T18:05 5m0s 300: 4.5 4.5 4.5"},
		},
		"everything": {
			"start;Demand;P95;max;arrivals;service;samples;cut_off;outage;remark\n" +
				"1781978400;3;4;5;100;20ms;290;true;false;x\n", "",
			[]string{"2026-06-20T18:00 5m0s 290: 3 4 5, 100 arrivals of 20ms, cut off true, outage false"},
		},
		"a mark, tabs, and a maximum only": {
			"\ufefftimestamp\tpeak\r\n2026-06-20 18:00:00+02\t7\r\n", "", []string{"2026-06-20T16:00 5m0s 300: 7 7 7"},
		},
		"minutes are put together": {
			"time,value\n2026-06-20T18:00:00Z,1\n2026-06-20T18:01:00Z,2\n2026-06-20T18:02:00Z,\n" +
				"2026-06-20T18:03:00Z,9\n2026-06-20T18:04:00Z,NaN\n2026-06-20T18:05:00Z,1\n", "",
			[]string{"2026-06-20T18:00 5m0s 180: 4 9 9", "2026-06-20T18:05 5m0s 60: 1 1 1"},
		},
		"hours stay": {
			"time,value\n2026-06-20T18:00:00Z,1\n2026-06-20T19:00:00Z,2\n", "",
			[]string{"2026-06-20T18:00 1h0m0s 3600: 1 1 1", "2026-06-20T19:00 1h0m0s 3600: 2 2 2"},
		},
		"an hour that comes twice": {
			"time,value\n2025-10-26T01:30,1\n2025-10-26T02:00,2\n2025-10-26T02:30,3\n2025-10-26T02:00,4\n" +
				"2025-10-26T02:30,5\n2025-10-26T03:00,6\n", "Europe/Berlin",
			[]string{
				"2025-10-25T23:30 30m0s 1800: 1 1 1", "2025-10-26T00:00 30m0s 1800: 2 2 2",
				"2025-10-26T00:30 30m0s 1800: 3 3 3", "2025-10-26T01:00 30m0s 1800: 4 4 4",
				"2025-10-26T01:30 30m0s 1800: 5 5 5", "2025-10-26T02:00 30m0s 1800: 6 6 6",
			},
		},
		"an hour that never was": {
			"time,value\n2026-03-29T01:30,1\n2026-03-29T02:00,9\n2026-03-29T02:30,9\n2026-03-29T03:00,2\n", "Europe/Berlin",
			[]string{"2026-03-29T00:30 30m0s 1800: 1 1 1", "2026-03-29T01:00 30m0s 1800: 2 2 2"},
		},
	} {
		csv := CSV{}
		if tt.zone != "" {
			csv.Zone = zone(t, tt.zone)
		}
		if strings.Contains(tt.text, "T02:30") {
			csv.Width = 30 * time.Minute
		}
		got, _, err := csv.Read(strings.NewReader(tt.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(tt.want, lines(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestHostileCSVIsAnErrorThatSaysWhere(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, says string }{
		"nothing":            {"", "names of the columns"},
		"no time":            {"x,mean\n", "called time"},
		"no demand":          {"time,arrivals\n", "called mean"},
		"two demands":        {"time,mean,demand\n", "of the same"},
		"negative":           {"time,mean\n2026-06-20T18:00:00Z,-1\n", "line 2: \"-1\""},
		"infinite":           {"time,mean\n\n2026-06-20T18:00:00Z,+Inf\n", "line 3"},
		"absurd":             {"time,mean\n2026-06-20T18:00:00Z,1e300\n", "line 2"},
		"no number":          {"time,mean\n2026-06-20T18:00:00Z,many\n", "expected a number"},
		"no offset":          {"time,mean\n2026-06-20T18:00:00,1\n", "time zone"},
		"no time at all":     {"time,mean\nyesterday,1\n", "expected a time"},
		"the year 1":         {"time,mean\n0001-01-01T00:00:00Z,1\n", "expected a year"},
		"the year 9999":      {"time,mean\n9999-01-01T00:00:00Z,1\n", "expected a year"},
		"a number of what":   {"time,mean\n42,1\n", "expected a time"},
		"a row that is long": {"time,mean\n2026-06-20T18:00:00Z,1,2\n", "wrong number of fields"},
		"a quote":            {"time,mean\n\"2026-06-20T18:00:00Z,1\n", "read csv"},
		"an odd width":       {"time,mean\n2026-06-20T18:00:00Z,1\n2026-06-20T18:07:00Z,1\n", "width"},
		"many columns":       {strings.Repeat("x,", mostColumns) + "time\n", "columns"},
	} {
		got, _, err := CSV{}.Read(strings.NewReader(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.says) || len(err.Error()) > 700 {
			t.Errorf("%s: %d buckets, error %v", name, len(got), err)
		}
	}
}

// endless is a file without an end.
type endless struct {
	row string
	at  int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.row[e.at]
		e.at = (e.at + 1) % len(e.row)
	}
	return len(p), nil
}

func TestAFileWithoutAnEndHasOne(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]string{
		"a field": "x", "rows": "2026-06-20T18:00:00Z,1\n", "empty lines": "\n",
	} {
		begin := "time,mean\n"
		if name == "a field" {
			begin += `"`
		}
		_, _, err := CSV{most: 1 << 20}.Read(io.MultiReader(strings.NewReader(begin), &endless{row: row}))
		if err == nil || !strings.Contains(err.Error(), "in parts") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDodgers(t *testing.T) {
	t.Parallel()
	file, err := os.Open("../../../../shared/data/dodgers/dodgers_5min_local.csv")
	if errors.Is(err, os.ErrNotExist) {
		file, err = os.Open("/work/shared/data/dodgers/dodgers_5min_local.csv")
	}
	if err != nil {
		t.Skipf("the shared data is not here: %v", err)
	}
	defer func() { _ = file.Close() }()
	got, report, err := CSV{Zone: zone(t, "America/Los_Angeles")}.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if report.Rows != 50400 || len(got)+report.Missing != report.Rows || report.Skipped > 0 ||
		report.Width != history.Step {
		t.Errorf("%d buckets, %+v", len(got), report)
	}
	for _, b := range got {
		if b.Samples != 300 || b.Mean != b.Max {
			t.Fatalf("bucket %+v", b)
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("time,count\n2026-06-20T18:00:00Z,3\n2026-06-20T18:05:00Z,4.5\n")
	f.Add("start;p95;max;arrivals;service\n1781978400;3;4;5;20ms\n")
	f.Add("ts_local_Europe_Berlin\tpeak\n2025-10-26T02:30\t7\n2025-10-26T02:30\t8\n")
	berlin := zone(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, text string) {
		got, _, err := CSV{Zone: berlin}.Read(strings.NewReader(text))
		check(t, got, err)
	})
}

// check holds what is true of all buckets.
func check(t *testing.T, buckets []history.Bucket, err error) {
	t.Helper()
	for i := range buckets {
		if err := buckets[i].Check(); err != nil {
			t.Fatal(err)
		}
		if i > 0 && buckets[i].Start.Before(buckets[i-1].End()) {
			t.Fatalf("%v is in %v", buckets[i].Start, buckets[i-1].Start)
		}
	}
	if err != nil && len(buckets) > 0 {
		t.Fatalf("%d buckets and %v", len(buckets), err)
	}
}

const sampled = `time,database,user,cl_active,cl_waiting,sv_active,total_xact_count,total_xact_time,total_wait_time
2026-06-20T18:00:00Z,app,a,9,0,3,,,
2026-06-20T18:00:00Z,app,b,9,1,2,,,
2026-06-20T18:00:00Z,app,,,,,1000,20000000,
2026-06-20T18:00:00Z,pgbouncer,pgbouncer,1,0,0,,,
2026-06-20T18:01:00Z,app,a,9,0,4,,,
2026-06-20T18:01:00Z,app,,,,,1600,33000000,1000000
2026-06-20T18:05:00Z,app,a,9,0,4,,,
2026-06-20T18:05:00Z,app,,,,,1700,34000000,1500000
2026-06-20T18:06:00Z,app,a,9,0,1,,,
2026-06-20T18:06:00Z,app,,,,,50,1000000,
2026-06-20T18:07:00Z,app,a,9,0,1,150,2000000,
`

func TestSamplesOfPgBouncer(t *testing.T) {
	t.Parallel()
	got, err := ReadPgBouncer(strings.NewReader(sampled), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"app": {
		"2026-06-20T18:00 5m0s 2: 5 6 6, 600 arrivals of 20ms",  // 5 in use and 1 waits, then 4
		"2026-06-20T18:05 5m0s 3: 2 4 4, 200 arrivals of 7.5ms", // restarted in between; waits are no service
	}}
	shown := map[string][]string{}
	for database, buckets := range got {
		shown[database] = lines(buckets)
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, tt := range map[string]struct{ text, says string }{
		"no columns":  {"a,b\n", "expected columns"},
		"negative":    {"time,database,sv_active\n2026-06-20T18:00:00Z,app,-3\n", "line 2: sv_active"},
		"no database": {"time,database,sv_active\n2026-06-20T18:00:00Z,,3\n", "line 2"},
		"no time":     {"time,database,sv_active\n,app,3\n", "line 2"},
	} {
		if _, err := ReadPgBouncer(strings.NewReader(tt.text), nil); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzPgBouncer(f *testing.F) {
	f.Add(sampled)
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ReadPgBouncer(strings.NewReader(text), time.UTC)
		for _, buckets := range all {
			check(t, buckets, err)
		}
	})
}

// prometheus answers as Prometheus does: the demand is 2 on average, 3 mostly and 4 at most.
func prometheus(t *testing.T, requests *[]string) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.URL.Path != "/sub/api/v1/query_range" || user != "me" || password != "geheim" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		query := r.PostFormValue("query")
		start, _ := strconv.ParseInt(r.PostFormValue("start"), 10, 64)
		end, _ := strconv.ParseInt(r.PostFormValue("end"), 10, 64)
		*requests = append(*requests, fmt.Sprintf("%s %d", query, (end-start)/300+1))
		text := map[string]string{"avg_": "2", "quan": "3", "max_": "4"}[query[:4]]
		if strings.Contains(query, "rate") {
			text = "10"
		}
		var values [][2]any
		for at := start; at <= end; at += 300 {
			if at == start+300 {
				values = append(values, [2]any{at, "NaN"})
				continue
			}
			values = append(values, [2]any{at, text})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{
			"resultType": "matrix", "result": []any{map[string]any{"metric": map[string]string{}, "values": values}},
		}})
	}))
	t.Cleanup(server.Close)
	return server
}

func TestPrometheus(t *testing.T) {
	t.Parallel()
	var requests []string
	server := prometheus(t, &requests)
	p := Prometheus{
		URL: server.URL + "/sub/", Demand: "busy+waiting", Arrivals: "rate(x[1m])", Resolution: 30 * time.Second,
		User: "me", Password: "geheim", Client: server.Client(),
	}
	from := time.Date(2026, 6, 20, 18, 0, 0, 0, time.UTC)
	got, err := p.Read(t.Context(), from.Add(time.Second), from.Add(15*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"2026-06-20T18:00 5m0s 300: 2 3 4, 3000 arrivals of 0s", "2026-06-20T18:10 5m0s 300: 2 3 4, 3000 arrivals of 0s",
	}
	if diff := cmp.Diff(want, lines(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"avg_over_time((busy+waiting)[300s:30s]) 3", "quantile_over_time(0.95, (busy+waiting)[300s:30s]) 3",
		"max_over_time((busy+waiting)[300s:30s]) 3", "avg_over_time((rate(x[1m]))[300s:30s]) 3",
	}, requests); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	requests = nil
	if got, err = p.Read(t.Context(), from, from.AddDate(0, 0, 70)); err != nil || len(got) != 70*288-3 {
		t.Errorf("%d buckets: %v", len(got), err)
	}
	for _, r := range requests {
		if n, _ := strconv.Atoi(r[strings.LastIndex(r, " ")+1:]); n > 11_000 {
			t.Errorf("%d points are asked for at once", n)
		}
	}
	p.Password = "falsch"
	if _, err = p.Read(t.Context(), from, from.Add(time.Hour)); err == nil || !strings.Contains(err.Error(), "401") ||
		strings.Contains(err.Error(), "falsch") {
		t.Errorf("error %v", err)
	}
}

func TestHostileAnswersAreErrors(t *testing.T) {
	t.Parallel()
	one := func(values string) string {
		return `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[` + values + `]}]}}`
	}
	for name, tt := range map[string]struct{ body, says string }{
		"no JSON":      {"<html>", "expected the HTTP API"},
		"an error":     {`{"status":"error","errorType":"bad_data","error":"parse error"}`, "parse error"},
		"a vector":     {`{"status":"success","data":{"resultType":"vector","result":[]}}`, "matrix"},
		"two series":   {`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"}},{}]}}`, "sum()"},
		"negative":     {one(`[1781978700,"-1"]`), "expected a demand"},
		"no number":    {one(`[1781978700,"x"]`), "expected a number"},
		"no time":      {one(`["x","1"]`), "expected a time"},
		"half seconds": {one(`[1781978700.5,"1"]`), "on the step"},
		"another time": {one(`[1781900000,"1"]`), "not asked for"},
		"off the step": {one(`[1781978701,"1"]`), "not asked for"},
		"huge":         {strings.Repeat(" ", mostAnswer+1), "more than 4 MB"},
		"nothing":      {`{"status":"success","data":{"resultType":"matrix","result":[]}}`, "nothing of this time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if name == "no JSON" || name == "an error" {
					w.WriteHeader(http.StatusBadRequest)
				}
				_, _ = io.WriteString(w, tt.body)
			}))
			defer server.Close()
			p := Prometheus{URL: server.URL, Demand: "x", Resolution: time.Minute, Client: server.Client()}
			from := time.Date(2026, 6, 20, 18, 0, 0, 0, time.UTC)
			_, err := p.Read(t.Context(), from, from.Add(time.Hour))
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func FuzzMatrix(f *testing.F) {
	f.Add([]byte(`{"status":"success","data":{"resultType":"matrix","result":[` +
		`{"metric":{},"values":[[1781978700,"1"]]}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		points, err := decodeMatrix(body)
		for _, p := range points {
			if err != nil || !(p.value >= 0 && p.value <= mostNumber) {
				t.Fatalf("%v, error %v", p, err)
			}
		}
	})
}

func TestAConsoleThatIsNotThere(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err := WatchPgBouncer(ctx, "postgres://a:geheim@127.0.0.1:1/pgbouncer?sslmode=disable", nil, nil)
	if err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("error %v", err)
	}
}
