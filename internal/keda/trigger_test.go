package keda

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// metadata is a map of key, value, ….
func metadata(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

func TestATriggerIsWhatItsMetadataSay(t *testing.T) {
	t.Parallel()
	least := trigger{
		pool: "orders", quantile: 0.9, lookAhead: 10 * time.Minute, perReplica: 20, metric: metricDemand,
	}
	changed := func(change func(*trigger)) trigger {
		t := least
		change(&t)
		return t
	}
	for name, test := range map[string]struct {
		pairs []string
		want  trigger
	}{
		"defaults": {nil, least},
		"everything": {
			[]string{"quantile", "0.95", "lookAhead", "1h30m", "metric", "target", "activation", "0.5"},
			trigger{"orders", 0.95, 90 * time.Minute, 20, metricTarget, 0.5},
		},
		"numbers in other spellings": {
			[]string{"quantile", ".50", "connectionsPerReplica", "1e3", "lookAhead", "0"},
			changed(func(t *trigger) { t.quantile, t.perReplica, t.lookAhead = 0.5, 1000, 0 }),
		},
		"the ends of the ranges": {
			[]string{"connectionsPerReplica", "0.001", "lookAhead", "24h", "activation", "1e9"},
			changed(func(t *trigger) { t.perReplica, t.lookAhead, t.activation = 0.001, 24*time.Hour, 1e9 }),
		},
		"the longest name of a pool": {
			[]string{"pool", strings.Repeat("x", 63)},
			changed(func(t *trigger) { t.pool = strings.Repeat("x", 63) }),
		},
		"what is meant for KEDA": {
			[]string{"scalerAddress", "usher:9432", "enableTLS", "false", "caCert", strings.Repeat("x", 5000)}, least,
		},
	} {
		m := metadata(append([]string{"pool", "orders", "connectionsPerReplica", "20"}, test.pairs...)...)
		got, err := parseTrigger(m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(trigger{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// hostile are metadata that are refused, with a part of the error. TestHostileCallsAreRefused sends them.
var hostile = map[string]struct {
	metadata map[string]string
	want     string
}{
	"nothing":         {nil, "pool is missing: expected the name of a pool"},
	"no pool":         {metadata("connectionsPerReplica", "1"), "pool is missing"},
	"an empty pool":   {with("pool", ""), `pool is "": expected a name of 1 to 63 bytes`},
	"a long pool":     {with("pool", strings.Repeat("x", 64)), "expected a name of 1 to 63 bytes"},
	"no replica":      {metadata("pool", "orders"), "connectionsPerReplica is missing: expected how many"},
	"an empty number": {with("connectionsPerReplica", ""), "from 0.001 to 1000000000"},
	"zero":            {with("connectionsPerReplica", "0"), "from 0.001 to 1000000000"},
	"minus zero":      {with("connectionsPerReplica", "-0"), "from 0.001"},
	"negative":        {with("connectionsPerReplica", "-20"), `connectionsPerReplica is "-20": expected`},
	"tiny":            {with("connectionsPerReplica", "1e-300"), "from 0.001"},
	"huge":            {with("connectionsPerReplica", "1e300"), "to 1000000000"},
	"beyond floats":   {with("connectionsPerReplica", "1e999"), "to 1000000000"},
	"infinite":        {with("connectionsPerReplica", "+Inf"), "to 1000000000"},
	"not a number":    {with("connectionsPerReplica", "NaN"), "from 0.001"},
	"text":            {with("connectionsPerReplica", "20 or so"), "from 0.001"},
	"two numbers":     {with("connectionsPerReplica", "20,5"), "from 0.001"},
	"another quantile": {
		with("quantile", "0.99"), `quantile is "0.99": expected 0.5, 0.9 or 0.95`,
	},
	"a quantile that is none": {with("quantile", "NaN"), "expected 0.5"},
	"a quantile in percent":   {with("quantile", "90"), "expected 0.5"},
	"seconds without a unit":  {with("lookAhead", "600"), `lookAhead is "600": expected a duration from 0 to 24h`},
	"looking back":            {with("lookAhead", "-1s"), "from 0 to 24h"},
	"looking too far":         {with("lookAhead", "24h1ns"), "from 0 to 24h"},
	"beyond durations":        {with("lookAhead", "9999999999h"), "from 0 to 24h"},
	"another metric":          {with("metric", "cost"), `metric is "cost": expected demand or target`},
	"an empty metric":         {with("metric", ""), "expected demand or target"},
	"negative activation":     {with("activation", "-1"), "from 0 to 1000000000"},
	"no activation":           {with("activation", "NaN"), "from 0 to 1000000000"},
	"a misspelt key":          {with("lookahead", "5m"), `unknown key "lookahead": expected one of activation, `},
	"a long value":            {with("quantile", strings.Repeat("9", 300)), "quantile has 300 bytes: expected"},
	"a long key":              {with(strings.Repeat("k", 5000), ""), strings.Repeat("k", 64) + `"…: expected one of`},
	"controls in a key":       {with("a\nb\x00", ""), `unknown key "a\nb\x00"`},
	"many keys":               {manyKeys(), "there are 102 keys in the metadata: expected at most 32"},
}

// with is metadata that would be right but for one key.
func with(key, value string) map[string]string {
	m := metadata("pool", "orders", "connectionsPerReplica", "20")
	m[key] = value
	return m
}

func manyKeys() map[string]string {
	m := with("pool", "orders")
	for i := range 100 {
		m[fmt.Sprintf("key%d", i)] = "x"
	}
	return m
}

func TestHostileMetadataAreRefusedWithWhatWasExpected(t *testing.T) {
	t.Parallel()
	for name, test := range hostile {
		_, err := parseTrigger(test.metadata)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, test.want)
		} else if len(err.Error()) > 500 {
			t.Errorf("%s: the error repeats %d bytes", name, len(err.Error()))
		}
	}
}

func TestMetricNamesFitIntoURLs(t *testing.T) {
	t.Parallel()
	for pool, want := range map[string]string{
		"orders":     "usher-demand-orders",
		"Orders_RW":  "usher-demand-orders-rw",
		"a/../b%20?": "usher-demand-a----b-20-",
		"gäste":      "usher-demand-g-ste",
	} {
		if got := (trigger{pool: pool, metric: metricDemand}).metricName(); got != want {
			t.Errorf("%s: got %s, want %s", pool, got, want)
		}
	}
}

func TestTheForecastOnlyRaises(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	for name, test := range map[string]struct {
		outlook Outlook
		metric  metric
		want    float64 // -1: none
	}{
		"more is expected":            {Outlook{Measured: 10, Demand: 80, Target: 100}, metricDemand, 80},
		"less is expected":            {Outlook{Measured: 30, Demand: 12.5}, metricDemand, 30},
		"the target":                  {Outlook{Measured: 10, Demand: 80, Target: 100}, metricTarget, 100},
		"the target is exceeded":      {Outlook{Measured: 120, Demand: 80, Target: 100}, metricTarget, 120},
		"nothing is expected or seen": {Outlook{}, metricDemand, 0},
		"no forecast":                 {Outlook{Measured: 10, Demand: 80, Absent: "no history"}, metricDemand, 10},
		"no measurement":              {Outlook{Measured: 90, Demand: 80, Unmeasured: "new"}, metricDemand, 80},
		"neither":                     {Outlook{Measured: 90, Absent: "new", Unmeasured: "new"}, metricDemand, -1},
		"an absurd forecast":          {Outlook{Measured: 10, Demand: nan}, metricDemand, 10},
		"an infinite one":             {Outlook{Measured: 10, Demand: inf}, metricDemand, 10},
		"a negative one":              {Outlook{Measured: 10, Demand: -5}, metricDemand, 10},
		"an absurd measurement":       {Outlook{Measured: nan, Demand: 7}, metricDemand, 7},
		"both absurd":                 {Outlook{Measured: -1, Demand: nan}, metricDemand, -1},
		"an absurd target":            {Outlook{Measured: 3, Target: -1}, metricTarget, 3},
	} {
		got, ok, why := test.outlook.value(test.metric)
		if ok != (test.want >= 0) || ok && got != test.want || ok != (why == "") {
			t.Errorf("%s: got %v %v %q, want %v", name, got, ok, why, test.want)
		}
	}
	_, _, why := Outlook{Absent: "there is no history", Measured: nan}.value(metricDemand)
	want := "neither forecast nor measurement: there is no history; the measurement is not a number of connections"
	if why != want {
		t.Errorf("got %q, want %q", why, want)
	}
}

func FuzzTrigger(f *testing.F) {
	f.Add("pool", "orders", "connectionsPerReplica", "20")
	f.Add("quantile", "0.9", "lookAhead", "10m")
	f.Add("metric", "target", "activation", "1e9")
	f.Add("connectionsPerReplica", "0x1p-9", "lookAhead", "1h0.5s")
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string) {
		m := metadata("pool", "orders", "connectionsPerReplica", "20", key1, value1, key2, value2)
		got, err := parseTrigger(m)
		if err != nil {
			if len(err.Error()) > 4*maxText {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			return
		}
		if got.pool == "" || len(got.pool) > maxPoolName || !(got.perReplica >= minPerReplica) ||
			!(got.perReplica <= maxConnections) || !(got.activation >= 0) || !(got.activation <= maxConnections) ||
			got.lookAhead < 0 || got.lookAhead > maxLookAhead {
			t.Errorf("took %+v", got)
		}
		if name := got.metricName(); strings.ContainsAny(name, "/%?#\n ") || len(name) > 100 {
			t.Errorf("the metric is called %q", name)
		}
	})
}
