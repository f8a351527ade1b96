package keda

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a trigger's metadata; ours, but where another source is named.
const (
	maxKeys        = 32             // usher knows 6 and KEDA adds 7
	maxText        = 256            // bytes of a key or a value that usher reads
	maxShown       = 64             // bytes of a text that an answer repeats
	maxPoolName    = 63             // NAMEDATALEN - 1 of PostgreSQL: no database has a longer name
	maxLookAhead   = 24 * time.Hour // how far a forecast is in detail
	maxConnections = 1e9            // more than there are; KEDA counts thousandths in 64 bits
	minPerReplica  = 0.001          // KEDA counts thousandths; less would be 0
)

// What a trigger is without being told.
const (
	defaultQuantile  = 0.9
	defaultLookAhead = 10 * time.Minute // what KEDA's elastic-forecast looks ahead by
)

// metric is what is compared with connectionsPerReplica.
type metric string

const (
	metricDemand metric = "demand" // what clients ask for
	metricTarget metric = "target" // what usher will keep open for it
)

// quantiles are those forecasts have.
var quantiles = []float64{0.5, 0.9, 0.95}

// trigger is what the metadata of a ScaledObject's trigger ask for.
type trigger struct {
	pool       string
	quantile   float64
	lookAhead  time.Duration
	perReplica float64 // connections
	metric     metric
	activation float64 // the value above which there are replicas at all
}

// keys are the metadata usher reads.
var keys = map[string]func(t *trigger, text string) error{
	"pool":                  (*trigger).setPool,
	"quantile":              (*trigger).setQuantile,
	"lookAhead":             (*trigger).setLookAhead,
	"connectionsPerReplica": (*trigger).setPerReplica,
	"metric":                (*trigger).setMetric,
	"activation":            (*trigger).setActivation,
}

// kedaKeys are those that tell KEDA itself how to connect; it passes them on.
var kedaKeys = []string{
	"scalerAddress", "enableTLS", "unsafeSsl", "caCert", "tlsCertFile", "tlsClientCert", "tlsClientKey",
}

// parseTrigger reads metadata. Its errors name the key and what was expected of it. A key it does not know is one: it
// would be a misspelt option that silently has its default.
func parseTrigger(metadata map[string]string) (trigger, error) {
	t := trigger{quantile: defaultQuantile, lookAhead: defaultLookAhead, metric: metricDemand}
	if len(metadata) > maxKeys {
		return trigger{}, fmt.Errorf("there are %d keys in the metadata: expected at most %d", len(metadata), maxKeys)
	}
	for _, key := range slices.Sorted(maps.Keys(metadata)) { // so that of several errors it is always the same
		if slices.Contains(kedaKeys, key) {
			continue
		}
		set, known := keys[key]
		if !known {
			return trigger{}, fmt.Errorf("unknown key %s: expected one of %s", shown(key),
				strings.Join(slices.Sorted(maps.Keys(keys)), ", "))
		}
		text := metadata[key]
		if len(text) > maxText {
			return trigger{}, fmt.Errorf("%s has %d bytes: expected at most %d", key, len(text), maxText)
		}
		if err := set(&t, text); err != nil {
			return trigger{}, fmt.Errorf("%s is %s: %w", key, shown(text), err)
		}
	}
	if t.pool == "" {
		return trigger{}, errors.New("pool is missing: expected the name of a pool of usher")
	}
	if t.perReplica == 0 {
		return trigger{}, errors.New("connectionsPerReplica is missing: " +
			"expected how many connections one replica is good for")
	}
	return t, nil
}

func (t *trigger) setPool(text string) error {
	if text == "" || len(text) > maxPoolName {
		return fmt.Errorf("expected a name of 1 to %d bytes", maxPoolName)
	}
	t.pool = text
	return nil
}

func (t *trigger) setQuantile(text string) error {
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || !slices.Contains(quantiles, number) {
		return errors.New("expected 0.5, 0.9 or 0.95")
	}
	t.quantile = number
	return nil
}

func (t *trigger) setLookAhead(text string) error {
	span, err := time.ParseDuration(text)
	if err != nil || span < 0 || span > maxLookAhead {
		return errors.New("expected a duration from 0 to 24h, such as 10m")
	}
	t.lookAhead = span
	return nil
}

func (t *trigger) setPerReplica(text string) error {
	number, ok := parseNumber(text)
	if !ok || number < minPerReplica {
		return fmt.Errorf("expected a number of connections from %v to %.0f", minPerReplica, maxConnections)
	}
	t.perReplica = number
	return nil
}

func (t *trigger) setMetric(text string) error {
	t.metric = metric(text)
	if t.metric != metricDemand && t.metric != metricTarget {
		return fmt.Errorf("expected %s or %s", metricDemand, metricTarget)
	}
	return nil
}

func (t *trigger) setActivation(text string) error {
	number, ok := parseNumber(text)
	if !ok || number < 0 {
		return fmt.Errorf("expected a number of connections from 0 to %.0f", maxConnections)
	}
	t.activation = number
	return nil
}

// parseNumber is false for what is no number, or too large to be one of connections. NaN is no number.
func parseNumber(text string) (float64, bool) {
	number, err := strconv.ParseFloat(text, 64)
	return number, err == nil && !math.IsNaN(number) && number <= maxConnections
}

// metricName is how the HorizontalPodAutoscaler calls the metric, behind a prefix of KEDA's: usher-demand-orders.
// It becomes a part of a URL's path there, so letters and digits are all that is left of the pool's name.
func (t trigger) metricName() string {
	pool := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, t.pool)
	return fmt.Sprintf("usher-%s-%s", t.metric, pool)
}

// shown quotes a text for an answer, and no more of it than helps.
func shown(text string) string {
	if len(text) <= maxShown {
		return strconv.Quote(text)
	}
	end := maxShown
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return strconv.Quote(text[:end]) + "…"
}
