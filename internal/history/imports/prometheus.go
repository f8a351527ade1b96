package imports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/history"
)

const (
	// pointsAtOnce is how many points are asked for at once: 30 days of buckets. Prometheus refuses more than 11,000.
	pointsAtOnce = 30 * 24 * 12
	// mostAnswer bounds an answer; a point has 40 bytes.
	mostAnswer = 4 << 20
	// mostSeries bounds how many series too many are named in an error.
	mostSeries = 3
	// answerPatience is how long one answer may take. Prometheus gives up after two minutes by default.
	answerPatience = 150 * time.Second
)

// Prometheus reads from the HTTP API of Prometheus, or of what has the same (Thanos, Mimir, VictoriaMetrics).
type Prometheus struct {
	// URL is of the server, without /api/v1.
	URL string
	// Demand is an expression of PromQL for the demand at a moment, of one series. Mean, 95th percentile and maximum of it
	// are asked for by subqueries.
	Demand string
	// Arrivals is one for requests a second, such as sum(rate(…[1m])). It may be empty.
	Arrivals string
	// Resolution is how often the demand is looked at in a bucket.
	Resolution time.Duration
	// Bearer, or User and Password, is what the server wants. They may be empty.
	Bearer, User, Password string
	// Client makes the requests; it knows about TLS.
	Client *http.Client
}

// question is one of the queries, and where its answer goes.
type question struct {
	query string
	put   func(*value, float64)
}

func (p *Prometheus) questions() []question {
	over := func(function, argument string) string {
		return fmt.Sprintf("%s(%s(%s)[%ds:%ds])", function, argument, p.Demand, int(history.Step.Seconds()),
			int(p.Resolution.Seconds()))
	}
	list := []question{
		{over("avg_over_time", ""), func(v *value, x float64) { v.mean = x }},
		{over("quantile_over_time", "0.95, "), func(v *value, x float64) { v.p95 = x }},
		{over("max_over_time", ""), func(v *value, x float64) { v.largest = x }},
	}
	if p.Arrivals != "" {
		list = append(list, question{
			fmt.Sprintf("avg_over_time((%s)[%ds:%ds])", p.Arrivals, int(history.Step.Seconds()), int(p.Resolution.Seconds())),
			func(v *value, x float64) { v.arrivals = x * history.Step.Seconds() },
		})
	}
	return list
}

// Read asks for the buckets from a time to another.
func (p *Prometheus) Read(ctx context.Context, from, to time.Time) ([]history.Bucket, error) {
	if p.Resolution < time.Second || p.Resolution > history.Step {
		return nil, fmt.Errorf("resolution %v: expected %v to %v", p.Resolution, time.Second, history.Step)
	}
	from, to = from.Truncate(history.Step), to.Truncate(history.Step)
	if !from.Before(to) {
		return nil, fmt.Errorf("from %s to %s: expected a time of at least %v", from.Format(time.RFC3339),
			to.Format(time.RFC3339), history.Step)
	}
	if to.Sub(from)/history.Step > history.MostBuckets {
		return nil, fmt.Errorf("from %s to %s: %w", from.Format(time.RFC3339), to.Format(time.RFC3339), history.ErrTooMuch)
	}
	var values []value
	for from.Before(to) {
		end := from.Add(pointsAtOnce * history.Step)
		if to.Before(end) {
			end = to
		}
		chunk, err := p.chunk(ctx, from, end)
		if err != nil {
			return nil, err
		}
		values = append(values, chunk...)
		from = end
	}
	if len(values) == 0 {
		return nil, errors.New("prometheus has nothing of this time: look at the expression in its own console")
	}
	return gather(values, history.Step)
}

// chunk asks all questions about some buckets.
func (p *Prometheus) chunk(ctx context.Context, from, to time.Time) ([]value, error) {
	values := make([]value, to.Sub(from)/history.Step)
	for i := range values {
		values[i] = nothing(from.Add(time.Duration(i) * history.Step))
	}
	var known int
	for _, q := range p.questions() {
		points, err := p.ask(ctx, q.query, from, to)
		if err != nil {
			return nil, fmt.Errorf("ask prometheus for %.200s: %w", q.query, err)
		}
		for _, x := range points {
			// A window ends at its point: that of a bucket is at its end.
			i := int(x.at.Add(-history.Step).Sub(from) / history.Step)
			if i < 0 || i >= len(values) || !x.at.Equal(values[i].at.Add(history.Step)) {
				return nil, fmt.Errorf("ask prometheus: a point of %s, which was not asked for", x.at.Format(time.RFC3339))
			}
			q.put(&values[i], x.value)
			known++
		}
	}
	if known == 0 {
		return nil, nil
	}
	return values, nil
}

// ask makes one request.
func (p *Prometheus) ask(ctx context.Context, query string, from, to time.Time) ([]point, error) {
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	form := url.Values{
		"query": {query}, "step": {strconv.Itoa(int(history.Step.Seconds()))},
		"start": {strconv.FormatInt(from.Add(history.Step).Unix(), 10)}, "end": {strconv.FormatInt(to.Unix(), 10)},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost,
		strings.TrimSuffix(p.URL, "/")+"/api/v1/query_range", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	switch {
	case p.Bearer != "":
		request.Header.Set("Authorization", "Bearer "+p.Bearer)
	case p.User != "":
		request.SetBasicAuth(p.User, p.Password)
	}
	answer, err := p.Client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > mostAnswer:
		return nil, fmt.Errorf("the answer has more than %d MB", mostAnswer>>20)
	case answer.StatusCode != http.StatusOK && !json.Valid(body):
		return nil, fmt.Errorf("it answers %s: expected the HTTP API of Prometheus", answer.Status)
	}
	return decodeMatrix(body)
}

// point is one number of a series.
type point struct {
	at    time.Time
	value float64
}

// decodeMatrix reads an answer with at most one series. What is not a number in it is missing.
func decodeMatrix(body []byte) ([]point, error) {
	var answer struct {
		Status    string `json:"status"`
		ErrorType string `json:"errorType"`
		Error     string `json:"error"`
		Data      struct {
			ResultType string `json:"resultType"`
			Result     []struct {
				Metric map[string]string    `json:"metric"`
				Values [][2]json.RawMessage `json:"values"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("expected an answer of Prometheus: %w", err)
	}
	data := answer.Data
	switch {
	case answer.Status != "success":
		return nil, fmt.Errorf("it answers %.40q: %.300s %.300s", answer.Status, answer.ErrorType, answer.Error)
	case data.ResultType != "matrix":
		return nil, fmt.Errorf("expected a matrix, not a %.40q", data.ResultType)
	case len(data.Result) == 0:
		return nil, nil
	case len(data.Result) > 1:
		var some []string
		for _, r := range data.Result[:min(len(data.Result), mostSeries)] {
			some = append(some, fmt.Sprintf("%.200v", r.Metric))
		}
		return nil, fmt.Errorf("%d series, such as %s: expected one; put a sum() around the expression",
			len(data.Result), strings.Join(some, " and "))
	}
	points := make([]point, 0, len(data.Result[0].Values))
	for _, pair := range data.Result[0].Values {
		var at float64
		var text string
		if err := errors.Join(json.Unmarshal(pair[0], &at), json.Unmarshal(pair[1], &text)); err != nil {
			return nil, fmt.Errorf("expected a time and a number in quotes: %w", err)
		}
		x, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil && !errors.Is(err, strconv.ErrRange):
			return nil, fmt.Errorf("%.40q: expected a number", text)
		case at < leastEpoch || at >= leastMillis || at != math.Trunc(at):
			return nil, fmt.Errorf("%v: expected a time in seconds, on the step", at)
		case math.IsNaN(x) || math.IsInf(x, 0):
			continue
		case x < 0 || x > mostNumber:
			return nil, fmt.Errorf("%.40q: expected a demand from 0 to %g", text, mostNumber)
		}
		points = append(points, point{time.Unix(int64(at), 0).UTC(), x})
	}
	return points, nil
}
