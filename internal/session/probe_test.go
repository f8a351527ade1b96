package session

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// probeRow is a good answer.
func probeRow() [][]byte {
	return [][]byte{
		[]byte("work_mem=36353533360a,search_path="), nil, []byte("6d65"), []byte("6d65"), []byte("6e6f6e65"),
		[]byte("1"), []byte("0"), []byte("0"), []byte("0"), []byte("2/7"),
	}
}

func TestAProbeIsReadOrRefused(t *testing.T) {
	t.Parallel()
	probe, err := ParseProbe(probeRow())
	if err != nil {
		t.Fatal(err)
	}
	if len(probe.Settings) != 2 || probe.Settings[0].Value != "65536\n" ||
		probe.LoginUser != "me" || probe.Role != "none" ||
		probe.pins() != Pins(PinListen, PinPrepare) || probe.Prepared != 7 {
		t.Errorf("%+v", probe)
	}
	for _, change := range []func(row [][]byte) [][]byte{
		func(row [][]byte) [][]byte { return row[:9] },
		func(row [][]byte) [][]byte { return append(row, nil) },
		func(row [][]byte) [][]byte { row[0] = []byte("x"); return row },
		func(row [][]byte) [][]byte { row[0] = []byte("x=1"); return row },
		func(row [][]byte) [][]byte { row[1] = []byte("=31"); return row },
		func(row [][]byte) [][]byte { row[2] = nil; return row },
		func(row [][]byte) [][]byte { row[4] = []byte("zz"); return row },
		func(row [][]byte) [][]byte { row[5] = nil; return row },
		func(row [][]byte) [][]byte { row[6] = []byte("-1"); return row },
		func(row [][]byte) [][]byte { row[7] = []byte("99999999999999999999"); return row },
		func(row [][]byte) [][]byte { row[9] = []byte("2"); return row },
		func(row [][]byte) [][]byte { row[0] = bytes.Repeat([]byte("x"), maxProbeBytes+1); return row },
	} {
		row := change(probeRow())
		if probe, err := ParseProbe(row); !errors.Is(err, ErrProbe) {
			t.Errorf("%.100q: %+v, %v", row, probe, err)
		}
	}
}

func TestTheProbeQualifiesEverything(t *testing.T) {
	t.Parallel()
	var tracker Tracker
	tracker.Start(with(t, nil, "SET app.user = 'x'"))
	sql := string(tracker.AppendProbe(nil))
	if !strings.Contains(sql, "current_setting('app.user',true)") {
		t.Error("it does not ask for the client's custom settings")
	}
	l := lexer{sql: []byte(sql)}
	before := ""
	for token := l.next(); token.kind != end; token = l.next() {
		text := sql[token.from:token.to]
		qualified := strings.HasSuffix(strings.TrimSuffix(sql[:token.from], "<"), "OPERATOR(pg_catalog.")
		if token.kind == punctuation && strings.Contains("=<>+", text) && !qualified {
			t.Errorf("an operator that is not qualified: %.40s", sql[token.from:])
		}
		keyword := text == "FILTER" || text == "SELECT" || text == "OPERATOR"
		if token.kind == word && l.peek(0) == '(' && before != "." && !keyword {
			t.Errorf("a function that is not qualified: %.40s", sql[token.from:])
		}
		before = text
	}
}

func FuzzParseProbe(f *testing.F) {
	f.Add(bytes.Join(probeRow(), []byte("|")))
	f.Fuzz(func(t *testing.T, data []byte) {
		probe, err := ParseProbe(bytes.Split(data, []byte("|")))
		if (err == nil) == (probe == nil) {
			t.Fatalf("%+v, %v", probe, err)
		}
		if err != nil {
			return
		}
		var tracker Tracker
		tracker.Observe(Unsure, nil, 0)
		tracker.Ready('I', false)
		tracker.Apply(probe) // must take whatever a server says
		AppendDiff(nil, nil, tracker.Settings())
	})
}
