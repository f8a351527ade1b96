//go:build integration

package conformance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/usher-pg/usher/internal/pgtest"
)

// badServerConfig adds a pool that leads to a scripted server to those of a healthy one.
const badServerConfig = `
auth: {type: trust}
admin_users: [postgres]
pool_defaults:
  timeouts: {server_connect: 1s, server_login_retry: 100ms, query_wait: 3s}
pools:
  calm: {url: "{{url}}", size: {max: 2}}
  bad:  {url: "postgres://somebody:secret@%s/bad?sslmode=disable", size: {max: 1}, timeouts: {query: 2s}}
`

// misbehaviour is something a server does, once a client's request has come, or already at login.
type misbehaviour struct {
	name   string
	script []pgtest.Step
	check  func(t *testing.T, answer string, err error) // nil: the client must get an error with SQLSTATE
}

// badLogins are what servers answer instead of letting usher in.
func badLogins() []misbehaviour {
	return []misbehaviour{
		{"closes at once", []pgtest.Step{pgtest.Close()}, nil},
		{"resets at once", []pgtest.Step{pgtest.Reset()}, nil},
		{"says nothing", []pgtest.Step{pgtest.Stall()}, nil},
		{"answers noise", []pgtest.Step{raw([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))}, nil},
		{"refuses without SQLSTATE", []pgtest.Step{raw(whole('E', "SFATAL\x00Mno code\x00\x00"))}, anyResponse},
		{"refuses without any field", []pgtest.Step{raw(whole('E', "\x00"))}, nil},
		{"refuses with half an error", []pgtest.Step{raw(whole('E', "SFATAL\x00Cxx"))}, nil},
		{"refuses with a giant error", []pgtest.Step{raw(typed('E', 0x7fffffff, "SFATAL"))}, nil},
		{"asks for Kerberos", []pgtest.Step{raw(whole('R', "\x00\x00\x00\x07"))}, nil},
		{"asks for an unknown login", []pgtest.Step{raw(whole('R', "\x00\x00\x01\x07"))}, nil},
		{"asks for nothing at all", []pgtest.Step{raw(whole('R', ""))}, nil},
		{"asks for half a salt", []pgtest.Step{raw(whole('R', "\x00\x00\x00\x05ab"))}, nil},
		{"offers no mechanism", []pgtest.Step{raw(whole('R', "\x00\x00\x00\x0a\x00"))}, nil},
		{"asks for endless hashing", []pgtest.Step{
			pgtest.Send(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}}),
			pgtest.Expect('p'),
			pgtest.Send(&pgproto3.AuthenticationSASLContinue{Data: []byte("r=abc,s=YWJj,i=2147483647")}),
			pgtest.Stall(),
		}, nil},
		{"lets in and stops", []pgtest.Step{pgtest.Send(&pgproto3.AuthenticationOk{}), pgtest.Stall()}, nil},
		{"lets in and closes", []pgtest.Step{pgtest.Send(&pgproto3.AuthenticationOk{}), pgtest.Close()}, nil},
		{"sends rows at login", []pgtest.Step{
			pgtest.Send(&pgproto3.AuthenticationOk{}, row("row")), pgtest.Stall(),
		}, nil},
		{"sends a broken parameter", []pgtest.Step{
			pgtest.Send(&pgproto3.AuthenticationOk{}), raw(whole('S', "name without value\x00")),
			pgtest.Stall(),
		}, nil},
		{"sends a short cancel key", []pgtest.Step{
			pgtest.Send(&pgproto3.AuthenticationOk{}), raw(whole('K', "\x00")), pgtest.Stall(),
		}, nil},
	}
}

// afterQuery is a script that logs in, waits for a query and goes on as told.
func afterQuery(steps ...pgtest.Step) []pgtest.Step {
	return append([]pgtest.Step{pgtest.Login(), pgtest.Expect('Q')}, steps...)
}

// Parts of the answers below.
var (
	columns = &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("c"), DataTypeOID: 25}}}
	done    = &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}
	ready   = &pgproto3.ReadyForQuery{TxStatus: 'I'}
	notice  = &pgproto3.NoticeResponse{Severity: "NOTICE", Message: "by the way"}
)

func row(text string) *pgproto3.DataRow { return &pgproto3.DataRow{Values: [][]byte{[]byte(text)}} }

// raw sends bytes as an answer.
func raw(bytes []byte) pgtest.Step { return pgtest.SendBytes(bytes) }

// badAnswers are what servers answer to "SELECT 'question'".
func badAnswers() []misbehaviour {
	drain, end, reset := pgtest.Drain(), pgtest.Close(), pgtest.Reset()
	begin := pgtest.Send(columns)
	half := pgtest.Send(columns, row("half an answer"))
	inPieces := pgtest.SendInPieces(1, columns, row("whole"), notice, done, ready)
	return []misbehaviour{
		{"closes", afterQuery(end), nil},
		{"resets", afterQuery(reset), nil},
		{"dies between rows", afterQuery(half, end), nil},
		{"dies inside a row", afterQuery(begin, raw(typed('D', 1000, "\x00\x01\x00\x00")), reset), anyError},
		{"dies inside a header", afterQuery(begin, raw([]byte("D\x00")), end), nil},
		{"never answers", afterQuery(drain), nil},
		{"stops inside a row", afterQuery(begin, raw(typed('D', 0x7ffffff0, "\x00\x01")), drain), anyError},
		{"sends noise", afterQuery(raw([]byte("\xff\xff\xff\xff\xff\xff\xff\xff")), drain), nil},
		{"sends an impossible length", afterQuery(raw(typed('D', 1, "")), drain), nil},
		{"sends a client's message", afterQuery(raw(whole('Q', "SELECT 1\x00")), drain), nil},
		{"sends an unknown status", afterQuery(raw(whole('Z', "X")), drain), nil},
		{"sends a status that is too long", afterQuery(raw(whole('Z', "II")), drain), nil},
		{"sends an error without fields", afterQuery(raw(whole('E', "\x00")), end), anyError},
		{"ends the session with a reason", afterQuery(pgtest.Fail("FATAL", adminShutdown, "gone"), end),
			func(t *testing.T, _ string, err error) {
				if sqlState(err) != adminShutdown {
					t.Errorf("got %v, expected SQLSTATE %s", err, adminShutdown)
				}
			}},
		{"answers in single bytes", afterQuery(inPieces, drain), func(t *testing.T, answer string, err error) {
			if err != nil || answer != "whole" {
				t.Errorf("got %q, %v", answer, err)
			}
		}},
	}
}

// anyResponse: an error without SQLSTATE is passed on as it is.
func anyResponse(t *testing.T, answer string, err error) {
	var response *pgconn.PgError
	if !asPgError(err, &response) {
		t.Errorf("answered %q, %v", answer, err)
	}
}

// anyError: in the middle of a message there is no room for an error; the connection just ends.
func anyError(t *testing.T, answer string, err error) {
	if err == nil {
		t.Errorf("answered %q", answer)
	}
}

// TestBadServers: whoever uses a broken server gets a clear and quick error, nobody else notices, and usher
// lets go.
func TestBadServers(t *testing.T) {
	t.Parallel()
	for _, group := range []struct {
		name  string
		cases []misbehaviour
	}{{"login", badLogins()}, {"answer", badAnswers()}} {
		for _, m := range group.cases {
			t.Run(group.name+": "+m.name, func(t *testing.T) {
				t.Parallel()
				fake := pgtest.StartFake(t, func(n int) []pgtest.Step {
					if n > 1 && group.name == "answer" { // it behaves while nobody asks it anything
						return []pgtest.Step{pgtest.Login(), pgtest.Drain()}
					}
					return m.script
				})
				target := startAlone(t, fmt.Sprintf(badServerConfig, fake.Addr), "bad")
				before := measure(t, target.in("calm"))
				before.descriptors++ // the bad pool may keep its server connection
				watched := newWitness(t, target.in("calm"))
				begin := time.Now()
				answer, err := askOnce(t, target)
				if m.check != nil {
					m.check(t, answer, err)
				} else if err == nil || sqlState(err) == "" {
					t.Errorf("the client got %q, %v; expected an error with SQLSTATE", answer, err)
				} else if strings.Contains(err.Error(), "secret") {
					t.Errorf("the error tells a secret: %v", err)
				}
				if took := time.Since(begin); took > calm {
					t.Errorf("the client waited %v", took)
				}
				watched.end()
				settles(t, target, before)
			})
		}
	}
}

func askOnce(t *testing.T, target *target) (string, error) {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), target.url())
	if err != nil {
		return "", err
	}
	defer conn.Close(t.Context())
	return (&session{conn: conn, tb: t}).try("SELECT 'question'")
}

// TestUnsolicitedMessagesCostTheServerConnection: what a server says while nobody asked must never reach the
// next client as an answer.
func TestUnsolicitedMessagesCostTheServerConnection(t *testing.T) {
	t.Parallel()
	for name, messages := range map[string][]pgproto3.BackendMessage{
		"an error":           {unsolicited("ERROR", "XX000")},
		"a fatal error":      {unsolicited("FATAL", adminShutdown)},
		"an answer":          {row("nobody asked"), done, ready},
		"a ready":            {ready},
		"a late transaction": {&pgproto3.ReadyForQuery{TxStatus: 'T'}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := make(chan struct{})
			fake := pgtest.StartFake(t, func(n int) []pgtest.Step {
				if n > 1 {
					return []pgtest.Step{pgtest.Login(), pgtest.AnswerQueries()}
				}
				return afterQuery(pgtest.AnswerRow("first"), pgtest.Send(messages...),
					pgtest.Do(func(*pgtest.Conversation) { close(said) }), pgtest.Drain())
			})
			target := startAlone(t, fmt.Sprintf(badServerConfig, fake.Addr), "bad")
			first, next := target.simple(t), target.simple(t)
			if _, err := first.try("SELECT 1"); err != nil && sqlState(err) != protocolViolation {
				t.Errorf("the first client: %v", err) // it may be told, if it was still there
			}
			<-said
			eventually(t, patience, "the server connection is replaced", func() bool {
				answer, err := next.try("SELECT 'mine'")
				if err == nil && answer == "SELECT 'mine'" {
					return true
				}
				if answer != "" || sqlState(err) == "XX000" {
					t.Fatalf("a client was answered %q, %v", answer, err)
				}
				next = target.simple(t)
				return false
			})
		})
	}
}

func unsolicited(severity, state string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: severity, Code: state, Message: "unsolicited"}
}

// TestServersThatComeBack: while a server is away, clients get a quick error; when it is back, they are
// served without anybody's help.
func TestServersThatComeBack(t *testing.T) {
	t.Parallel()
	server := startOwnPostgres(t, nil)
	usher := startUsher(t, server,
		"auth: {type: trust}\n"+
			"pool_defaults: {timeouts: {server_connect: 1s, server_login_retry: 200ms, query_wait: 2s}}\n"+
			"pools:\n  two: {url: \"{{url}}\", size: {max: 2}}\n")
	target := through(usher, server, "two")
	client := target.simple(t)
	client.expect("SELECT 1", "1")
	for round := range 2 {
		if round == 0 {
			if err := server.Kill(); err != nil {
				t.Fatal(err)
			}
		} else if err := server.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		for range 3 {
			if text, err := askOnce(t, target); err == nil || sqlState(err) == "" {
				t.Errorf("without a server: answered %q, %v", text, err)
			}
		}
		took := time.Since(begin)
		t.Logf("three errors took %v", took)
		if took > calm {
			t.Error("that is too long")
		}
		if err := server.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, patience, "the server is back", func() bool {
			text, err := askOnce(t, target)
			return err == nil && text == "question"
		})
	}
	if text, err := client.try("SELECT 'still connected'"); err != nil || text != "still connected" {
		t.Errorf("an idle client did not survive the restarts: %q, %v", text, err)
	}
}
