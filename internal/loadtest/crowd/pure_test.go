package crowd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/usher-pg/usher/internal/wire"
)

// messages splits bytes into "type body".
func messages(t *testing.T, b []byte) []string {
	t.Helper()
	var out []string
	for len(b) > 0 {
		kind, length, ok := wire.Header(b)
		if !ok || len(b) < length {
			t.Fatalf("%q is no whole message", b)
		}
		out = append(out, fmt.Sprintf("%v %q", kind, b[wire.HeaderLen:length]))
		b = b[length:]
	}
	return out
}

func TestScriptsAreWhatDriversSend(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		work Work
		want []string
	}{
		"extended with a key": {Work{SQL: "select $1", Keys: 5}, []string{
			`'P' "\x00select $1\x00\x00\x01\x00\x00\x00\x17"`,
			`'B' "\x00\x00\x00\x00\x00\x01\x00\x00\x00\b00001203\x00\x00"`,
			`'D' "P\x00"`, `'E' "\x00\x00\x00\x00\x00"`, `'S' ""`,
		}},
		"extended without": {Work{SQL: "select 1"}, []string{
			`'P' "\x00select 1\x00\x00\x00"`, `'B' "\x00\x00\x00\x00\x00\x00\x00\x00"`,
			`'D' "P\x00"`, `'E' "\x00\x00\x00\x00\x00"`, `'S' ""`,
		}},
		"simple with a key": {Work{SQL: "select $1", Keys: 5, Simple: true}, []string{`'Q' "select 00001203\x00"`}},
		"simple without":    {Work{SQL: "select 1", Simple: true}, []string{`'Q' "select 1\x00"`}},
	} {
		s, err := scriptOf(tt.work)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s.setKey(1203)
		if diff := cmp.Diff(tt.want, messages(t, s.bytes)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	for name, w := range map[string]Work{
		"nothing": {}, "a NUL": {SQL: "a\x00b"}, "too many keys": {SQL: "x", Keys: maxKeys + 1},
		"a key twice": {SQL: "select $1, $1", Keys: 1, Simple: true},
	} {
		if s, err := scriptOf(w); err == nil {
			t.Errorf("%s makes a script: %q", name, s.bytes)
		}
	}
}

func TestFailuresAreToldApartByWhatTheySay(t *testing.T) {
	t.Parallel()
	var f failures
	f.add(refusal{"53300", "waited for 3 s", "try in 5 s"})
	f.add(refusal{"53300", "waited for 12 s", "never"})
	f.add(refusal{"53300", "queue full", ""})
	f.add(refusal{"", "connection lost", ""})
	f.add(refusal{"", "connection lost", ""})
	f.add(refusal{"", "connection lost", ""})
	want := []Failure{
		{"", "connection lost", 3}, {"53300", "waited for 3 s (hint: try in 5 s)", 2}, {"53300", "queue full", 1},
	}
	if diff := cmp.Diff(want, f.list()); diff != "" {
		t.Error(diff)
	}
	for i := range 3 * maxKinds {
		f.add(refusal{message: strings.Repeat("x", i)})
	}
	list, total := f.list(), uint64(0)
	for _, kind := range list {
		total += kind.Count
	}
	if len(list) != maxKinds+1 || total != 6+3*maxKinds {
		t.Errorf("%d kinds of %d failures", len(list), total)
	}
}

func TestARefusalIsReadFromAnErrorResponse(t *testing.T) {
	t.Parallel()
	body := wire.AppendError(nil, wire.ErrorResponse, wire.ErrorPart{Field: wire.FieldCode, Value: "53300"},
		wire.ErrorPart{Field: wire.FieldMessage, Value: strings.Repeat("é", maxMessageText)},
		wire.ErrorPart{Field: wire.FieldHint, Value: "wait"})[wire.HeaderLen:]
	got := refusalOf(body)
	want := refusal{"53300", strings.Repeat("é", maxMessageText/2) + "…", "wait"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := refusalOf(nil); got != (refusal{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestTheTimeAtWhichTheServerBeganIsReadFromARow(t *testing.T) {
	t.Parallel()
	row := func(columns ...string) []byte {
		var values [][]byte
		for _, c := range columns {
			values = append(values, []byte(c))
		}
		return wire.AppendRow(nil, values)[wire.HeaderLen:]
	}
	for _, tt := range []struct {
		body   []byte
		column int
		want   int64
	}{
		{row("guest", "1764115200000001", ""), 2, 1764115200000001},
		{row("guest", "1764115200000001"), 0, 0},
		{row("guest"), 2, 0},
		{row("guest", "soon"), 2, 0},
		{row("guest", strings.Repeat("9", 30)), 2, 0},
		{[]byte{0}, 1, 0},
	} {
		if got := beganAt(tt.body, tt.column); got != tt.want {
			t.Errorf("column %d of %q = %d, want %d", tt.column, tt.body, got, tt.want)
		}
	}
}

// The twin of a ring is a slice.
func TestARingIsAQueue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var r ring[int]
		var twin []int
		for i := range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch what := rapid.IntRange(0, 20).Draw(t, "what"); {
			case what == 0:
				r.clear()
				twin = nil
			case what < 12 || len(twin) == 0:
				r.push(i)
				twin = append(twin, i)
			default:
				if first := r.peek(); first != twin[0] {
					t.Fatalf("%d is first, want %d", first, twin[0])
				}
				if item := r.pop(); item != twin[0] {
					t.Fatalf("got %d, want %d", item, twin[0])
				}
				twin = twin[1:]
			}
			if r.count != len(twin) {
				t.Fatalf("%d items, want %d", r.count, len(twin))
			}
		}
	})
}

func TestCommandsAreChecked(t *testing.T) {
	t.Parallel()
	steady := []Point{{0, 1}, {time.Second, 1}}
	for name, r := range map[string]Run{
		"no loads":     {Duration: time.Second},
		"no time":      {Loads: []Load{{Lane: "low", Closed: 1}}},
		"no such lane": {Duration: time.Second, Loads: []Load{{Lane: "urgent", Closed: 1}}},
		"no rate":      {Duration: time.Second, Loads: []Load{{Lane: "low"}}},
		"both":         {Duration: time.Second, Loads: []Load{{Lane: "low", Closed: 1, Rate: steady}}},
		"disorder":     {Duration: time.Second, Loads: []Load{{Lane: "low", Rate: []Point{{2, 1}, {1, 1}}}}},
		"negative":     {Duration: time.Second, Loads: []Load{{Lane: "low", Rate: []Point{{0, -1}}}}},
	} {
		if err := r.check(); err == nil {
			t.Errorf("a run with %s is good", name)
		}
	}
	good := Connect{Seats: []Seats{{"low", 1}}, Parallel: 1, Patience: 1, Attempts: 1}
	if err := good.check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Connect){
		"nobody":       func(c *Connect) { c.Seats = nil },
		"too many":     func(c *Connect) { c.Seats = []Seats{{"low", maxSeats}, {"high", 1}} },
		"less than no": func(c *Connect) { c.Seats = []Seats{{"low", -1}, {"high", 2}} },
		"no such lane": func(c *Connect) { c.Seats = []Seats{{"urgent", 1}} },
		"no logins":    func(c *Connect) { c.Parallel = 0 },
		"no attempts":  func(c *Connect) { c.Attempts = 0 },
		"no patience":  func(c *Connect) { c.Patience = 0 },
	} {
		c := good
		change(&c)
		if err := c.check(); err == nil {
			t.Errorf("%s may connect", name)
		}
	}
}
