package pgtest

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// TestMain makes this binary a stand-in for usher when it is started as usher is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		os.Exit(standIn(os.Args[len(os.Args)-1]))
	}
	Main(m)
}

func connectFake(t *testing.T, f *Fake) (*pgconn.PgConn, error) {
	t.Helper()
	return pgconn.Connect(t.Context(), "postgres://ada@"+f.Addr+"/db?sslmode=disable")
}

func TestAFakeServerAnswersItsScript(t *testing.T) {
	t.Parallel()
	f := StartFake(t, func(int) []Step {
		return []Step{Login(), ExpectQuery("first"), AnswerRow("one"), AnswerQueries()}
	})
	conn, err := connectFake(t, f)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for query, want := range map[string]string{"first": "one"} {
		results, err := conn.Exec(t.Context(), query).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(results[0].Rows[0][0]); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	results, err := conn.Exec(t.Context(), "echo me").ReadAll()
	if err != nil || string(results[0].Rows[0][0]) != "echo me" {
		t.Errorf("AnswerQueries: %v, %v", results, err)
	}
	if f.Connections() != 1 {
		t.Errorf("%d connections", f.Connections())
	}
	if err := conn.CancelRequest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if cancels := f.Cancels(); len(cancels) != 1 || cancels[0].ProcessID != 1001 {
		t.Errorf("cancels: %v", cancels)
	}
}

func TestAFakeServerMisbehavesAsTold(t *testing.T) {
	t.Parallel()
	f := StartFake(t, func(n int) []Step {
		switch n {
		case 1:
			return []Step{Fail("FATAL", "53300", "too many")}
		case 2:
			return []Step{Login(), Expect('Q'), SendBytes([]byte{'D', 0, 0}), Reset()}
		}
		return []Step{Login(), Expect('Q'), SendInPieces(3,
			&pgproto3.CommandComplete{CommandTag: []byte("SELECT 0")}, &pgproto3.ReadyForQuery{TxStatus: 'I'}),
			ExpectClose()}
	})
	_, err := connectFake(t, f)
	if refusal, ok := errors.AsType[*pgconn.PgError](err); !ok || refusal.Code != "53300" {
		t.Errorf("first connection: %v, want SQLSTATE 53300", err)
	}
	second, err := connectFake(t, f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Exec(t.Context(), "x").ReadAll(); err == nil {
		t.Error("a reset in mid-message went unnoticed")
	}
	third, err := connectFake(t, f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := third.Exec(t.Context(), "x").ReadAll(); err != nil {
		t.Errorf("an answer in pieces: %v", err)
	}
	third.Close(t.Context())
}

func TestAStalledFakeServerIsFreedWhenTheTestEnds(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	t.Run("stalls", func(t *testing.T) {
		f := StartFake(t, func(int) []Step { return []Step{Stall()} })
		conn, err := net.Dial("tcp", f.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		startup := pgproto3.StartupMessage{
			ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "ada"},
		}
		content, err := startup.Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(content); err != nil {
			t.Fatal(err)
		}
	})
	if took := time.Since(begun); took > fakePatience/2 {
		t.Errorf("the test took %v to end", took)
	}
}

func TestCertificatesFitTogether(t *testing.T) {
	t.Parallel()
	certs := Certificates(t)
	for _, c := range []struct {
		client *Certificate
		good   bool
	}{{certs.Client, true}, {certs.Stranger, false}} {
		here, there := net.Pipe()
		server := tls.Server(here, &tls.Config{
			Certificates: []tls.Certificate{certs.Server.TLS()},
			ClientCAs:    certs.Authority.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
		})
		done := make(chan error, 1)
		go func() {
			client := tls.Client(there, &tls.Config{
				RootCAs: certs.Authority.Pool(), ServerName: "localhost",
				Certificates: []tls.Certificate{c.client.TLS()},
			})
			err := client.Handshake()
			_, _ = io.Copy(io.Discard, client)
			done <- err
		}()
		err := server.Handshake()
		server.Close()
		here.Close()
		if clientErr := <-done; clientErr != nil {
			t.Errorf("the client's side: %v", clientErr)
		}
		if (err == nil) != c.good {
			t.Errorf("handshake with the certificate of %s: %v, want success: %v",
				c.client.certificate.Issuer.CommonName, err, c.good)
		}
	}
}

func TestTranscriptWakesWhoWaits(t *testing.T) {
	t.Parallel()
	log := newTranscript()
	go func() {
		for _, part := range []string{"one\ntw", "o\nthr", "ee\n"} {
			_, _ = log.Write([]byte(part))
		}
	}()
	line, err := log.await(t.Context(), regexp.MustCompile("^three$"))
	if err != nil || line != "three" {
		t.Errorf("await = %q, %v", line, err)
	}
	if !strings.HasPrefix(log.String(), "one\n") {
		t.Errorf("log = %q", log.String())
	}
}

func TestStartupMessageOfTheClientIsSeenByTheScript(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 1)
	f := StartFake(t, func(int) []Step {
		return []Step{Do(func(c *Conversation) { seen <- c.Startup.Parameters["user"] }), Login(), Drain()}
	})
	conn, err := pgx.Connect(t.Context(), "postgres://ada@"+f.Addr+"/db?sslmode=prefer")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if user := <-seen; user != "ada" {
		t.Errorf("user = %q", user)
	}
}
