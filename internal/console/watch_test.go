package console

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"
)

// waiting starts a console that is in the middle of query.
func waiting(t *testing.T, query string) (*testConsole, *pgproto3.Frontend) {
	t.Helper()
	c := start(t, Admin)
	c.ctl.block = true
	f := c.frontend(t)
	send(t, f, &pgproto3.Query{String: query})
	<-c.ctl.began
	return c, f
}

func send(t *testing.T, f *pgproto3.Frontend, messages ...pgproto3.FrontendMessage) {
	t.Helper()
	for _, m := range messages {
		f.Send(m)
	}
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestAWaitEndsWhenTheClientLeaves(t *testing.T) {
	leave := map[string]func(*testing.T, *testConsole, *pgproto3.Frontend){
		"with Terminate": func(t *testing.T, _ *testConsole, f *pgproto3.Frontend) {
			send(t, f, &pgproto3.Terminate{})
		},
		"without a word": func(_ *testing.T, c *testConsole, _ *pgproto3.Frontend) { c.client.Close() },
		"behind a pipelined query": func(t *testing.T, _ *testConsole, f *pgproto3.Frontend) {
			send(t, f, &pgproto3.Query{String: "show version"}, &pgproto3.Terminate{})
		},
	}
	after := map[string][]string{ // what the controller was told in the end
		"PAUSE shop":      {`pause "shop"`}, // stays paused, as in PgBouncer
		"WAIT_CLOSE shop": {`wait close "shop"`},
		"SUSPEND":         {"suspend", `resume ""`}, // nobody could undo it
	}
	for how, goAway := range leave {
		for query, calls := range after {
			t.Run(query+" "+how, func(t *testing.T) {
				c, f := waiting(t, query)
				goAway(t, c, f)
				if err := c.served(t); err != nil {
					t.Errorf("Serve returned %v", err)
				}
				if diff := cmp.Diff(calls, c.ctl.called()); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestACancelRequestEndsAWaitAndUndoesIt(t *testing.T) {
	tests := map[string][]string{
		"PAUSE":      {`pause ""`, `resume ""`},
		"PAUSE shop": {`pause "shop"`, `resume "shop"`},
		"SUSPEND":    {"suspend", `resume ""`},
		"WAIT_CLOSE": {`wait close ""`},
	}
	for query, calls := range tests {
		t.Run(query, func(t *testing.T) {
			c, f := waiting(t, query)
			c.canceled <- struct{}{}
			m, err := f.Receive()
			if err != nil {
				t.Fatal(err)
			}
			if e, ok := m.(*pgproto3.ErrorResponse); !ok || e.Code != "57014" {
				t.Errorf("answered with %#v, want 57014", m)
			}
			receive(t, f, "Z")
			if diff := cmp.Diff(calls, c.ctl.called()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			send(t, f, &pgproto3.Query{String: "show version"})
			if got := receive(t, f, "Z"); got != "TDCZ" {
				t.Errorf("the next query is answered with %s, want TDCZ", got)
			}
		})
	}
}

func TestACancelRequestThatComesLateHitsNothing(t *testing.T) {
	c := start(t, Admin)
	f := c.frontend(t)
	c.canceled <- struct{}{}
	send(t, f, &pgproto3.Query{String: "pause shop"})
	if got := receive(t, f, "Z"); got != "CZ" {
		t.Errorf("answered with %s, want CZ", got)
	}
}

func TestWhatIsPipelinedBehindAWaitIsAnsweredAfterIt(t *testing.T) {
	c, f := waiting(t, "PAUSE shop")
	send(t, f, &pgproto3.Query{String: "show version"}, &pgproto3.Query{String: "show state"})
	c.canceled <- struct{}{}
	if got := receive(t, f, "Z") + receive(t, f, "Z") + receive(t, f, "Z"); got != "EZTDCZTDDDDCZ" {
		t.Errorf("answered with %s, want EZTDCZTDDDDCZ", got)
	}
}

func TestMoreThanTheReaderHoldsBehindAWaitIsNoReasonToEndIt(t *testing.T) {
	c, f := waiting(t, "PAUSE shop")
	for range 8 {
		send(t, f, &pgproto3.Query{String: strings.Repeat(" ", maxQueryLen/2)})
	}
	c.canceled <- struct{}{}
	if got := receive(t, f, "Z"); got != "EZ" {
		t.Errorf("the wait is answered with %s, want EZ", got)
	}
	for range 8 {
		if got := receive(t, f, "Z"); got != "IZ" {
			t.Errorf("a pipelined query is answered with %s, want IZ", got)
		}
	}
}

func TestShutdownOfUsherEndsAWait(t *testing.T) {
	c, f := waiting(t, "PAUSE shop")
	why := errors.New("usher ends")
	c.stop(why)
	if got := receive(t, f, "E"); got != "E" {
		t.Errorf("answered with %s, want E", got)
	}
	if err := c.served(t); !errors.Is(err, why) {
		t.Errorf("Serve returned %v, want %v", err, why)
	}
	if diff := cmp.Diff([]string{`pause "shop"`}, c.ctl.called()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}
