//go:build integration

package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/internal/wire"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// live is a server connection to a real PostgreSQL, used as the relay uses one.
type live struct {
	t        *testing.T
	front    *pgproto3.Frontend
	settings *Settings // what its session is set to
	reported []wire.Param
	close    func()
}

// connect opens a server connection, with startup parameters of its own.
func connect(t *testing.T, parameters ...wire.Param) *live {
	t.Helper()
	config, err := pgconn.ParseConfig(pgtest.Start(t).URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parameters {
		config.RuntimeParams[p.Name] = p.Value
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	hijacked, err := conn.Hijack()
	if err != nil {
		t.Fatal(err)
	}
	l := &live{t: t, front: hijacked.Frontend, close: func() { _ = hijacked.Conn.Close() }}
	t.Cleanup(l.close)
	for name, value := range hijacked.ParameterStatuses {
		l.reported = append(l.reported, wire.Param{Name: name, Value: value})
	}
	l.settings = Reported(l.reported)
	return l
}

func (l *live) receive() pgproto3.BackendMessage {
	l.t.Helper()
	message, err := l.front.Receive()
	if err != nil {
		l.t.Fatal(err)
	}
	return message
}

func (l *live) flush() {
	l.t.Helper()
	if err := l.front.Flush(); err != nil {
		l.t.Fatal(err)
	}
}

// ask executes a query of usher's own, and returns the last row and the error, if any. A tracker takes the
// reports.
func (l *live) ask(sql string, tracker *Tracker) (row [][]byte, failure string) {
	l.t.Helper()
	l.front.Send(&pgproto3.Query{String: sql})
	l.flush()
	for {
		switch m := l.receive().(type) {
		case *pgproto3.DataRow:
			row = nil
			for _, value := range m.Values {
				row = append(row, slices.Clone(value))
			}
		case *pgproto3.ErrorResponse:
			failure = m.Message
		case *pgproto3.ParameterStatus:
			if tracker != nil {
				tracker.ParameterStatus(m.Name, m.Value)
			}
		case *pgproto3.ReadyForQuery:
			return row, failure
		}
	}
}

func (l *live) must(sql string) [][]byte {
	l.t.Helper()
	row, failure := l.ask(sql, nil)
	if failure != "" {
		l.t.Fatalf("%s: %s", sql, failure)
	}
	return row
}

// exchange plays the relay for one text (simple protocol), or several (one batch of the extended protocol).
// It returns the status and what failed.
func (l *live) exchange(tracker *Tracker, texts []string, extended bool) (status byte, failure string) {
	l.t.Helper()
	for _, sql := range texts {
		tracker.Observe(Scan([]byte(sql)), []byte(sql), 0)
		if !extended {
			l.front.Send(&pgproto3.Query{String: sql})
			continue
		}
		l.front.Send(&pgproto3.Parse{Query: sql})
		l.front.Send(&pgproto3.Bind{})
		l.front.Send(&pgproto3.Execute{})
	}
	ready := len(texts)
	if extended {
		l.front.Send(&pgproto3.Sync{})
		ready = 1
	}
	l.flush()
	for {
		switch m := l.receive().(type) {
		case *pgproto3.CommandComplete:
			tracker.CommandTag(m.CommandTag)
		case *pgproto3.ErrorResponse:
			failure = m.Message
			tracker.Error()
		case *pgproto3.ParameterStatus:
			tracker.ParameterStatus(m.Name, m.Value)
		case *pgproto3.ReadyForQuery:
			ready--
			l.act(tracker, tracker.Ready(m.TxStatus, ready > 0))
			if ready == 0 {
				return m.TxStatus, failure
			}
		}
	}
}

// act does what the tracker says.
func (l *live) act(tracker *Tracker, action Action) {
	l.t.Helper()
	switch action.Kind {
	case Changed:
		l.settings = action.Server
	case AskServer:
		sql := string(tracker.AppendProbe(nil))
		row, failure := l.ask(sql, tracker)
		if failure != "" {
			l.t.Logf("probe failed: %s", failure)
			tracker.ProbeFailed()
			return
		}
		probe, err := ParseProbe(row)
		if err != nil {
			l.t.Fatalf("%v: %q", err, row)
		}
		l.act(tracker, tracker.Apply(probe))
	}
}

// sync makes the session what the client needs.
func (l *live) sync(tracker *Tracker) {
	l.t.Helper()
	if l.settings == tracker.Settings() {
		return
	}
	sql := string(AppendDiff(nil, l.settings, tracker.Settings()))
	if sql != "" {
		if _, failure := l.ask(sql, tracker); failure != "" {
			l.t.Fatalf("synchronize: %s: %s\nfrom %s\nto %s", sql, failure, l.settings, tracker.Settings())
		}
	}
	l.settings = tracker.Synced(l.settings)
}

// probe asks for everything, with some custom settings.
func (l *live) probe(names ...string) *Probe {
	l.t.Helper()
	probe, err := ParseProbe(l.must(string(appendProbe(nil, names))))
	if err != nil {
		l.t.Fatal(err)
	}
	return probe
}

// state is all that can be seen of the session's settings.
func (l *live) state(names []string) []string {
	l.t.Helper()
	columns := []string{"session_user", "current_setting('role')"}
	for _, name := range names {
		columns = append(columns, fmt.Sprintf("coalesce(current_setting('%s', true), '')", name))
	}
	sql := "SELECT pg_catalog.concat_ws(E'\\n'," + strings.Join(columns, ",") + ") || E'\\n' || " +
		"(SELECT string_agg(name || '=' || setting, E'\\n' ORDER BY name) FROM pg_catalog.pg_settings)"
	// The names above must not depend on the client's search_path.
	sql = strings.NewReplacer("current_setting", "pg_catalog.current_setting", "string_agg",
		"pg_catalog.string_agg").Replace(sql)
	return strings.Split(string(l.must(sql)[0]), "\n")
}
