//go:build integration

package login

import (
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/usher-pg/usher/internal/pgtest"
)

// TestLibpqLogsIn lets in the client library most others are made of. psql connects, and quits without a
// query.
func TestLibpqLogsIn(t *testing.T) {
	t.Parallel()
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed")
	}
	root := saved(t, authority())
	mine := saved(t, issue(t, pgtest.Request{Name: "plain"}))
	all := users(t)
	verified := "sslmode=verify-full sslrootcert=" + root.CertFile
	for _, c := range []struct {
		method   Method
		mode     TLSMode
		settings string
		refusal  string
	}{
		{Trust, TLSDisable, "user=anybody sslmode=prefer", ""},
		{Trust, TLSRequire, "user=anybody sslmode=disable", "TLS is required"},
		{Password, TLSDisable, "user=plain password=pencil sslmode=disable", ""},
		{Password, TLSDisable, "user=scram password=pencil sslmode=disable", ""},
		{MD5, TLSDisable, "user=plain password=pencil sslmode=disable", ""},
		{MD5, TLSDisable, "user=scram password=pencil sslmode=disable", ""},
		{SCRAM, TLSDisable, "user=plain password=pencil sslmode=disable", ""},
		{SCRAM, TLSDisable, "user=plain password=wrong sslmode=disable",
			`password authentication failed for user "plain"`},
		{SCRAM, TLSDisable, "user=nobody password=x sslmode=disable",
			`password authentication failed for user "nobody"`},
		{SCRAM, TLSPrefer, "user=scram password=pencil channel_binding=require " + verified, ""},
		{SCRAM, TLSPrefer, "user=scram password=pencil channel_binding=disable " + verified, ""},
		{SCRAM, TLSDisable, "user=scram password=pencil channel_binding=require sslmode=disable",
			"channel binding"},
		{Cert, TLSVerifyFull, "user=plain sslcert=" + mine.CertFile + " sslkey=" + mine.KeyFile + " " + verified,
			""},
	} {
		h := open(t, &Config{Method: c.method, Users: all, TLS: offer(t, c.mode)}, nil)
		_, port, err := net.SplitHostPort(h.tcp)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		target := "dbname=shop host=127.0.0.1 port=" + port + " " + c.settings
		out, err := exec.CommandContext(ctx, psql, "-X", "-w", target, "-c", `\q`).CombinedOutput()
		if (err == nil) != (c.refusal == "") || !strings.Contains(string(out), c.refusal) {
			t.Errorf("%v, %v, %.60s: %v, %s", c.method, c.mode, c.settings, err, out)
		}
	}
}
