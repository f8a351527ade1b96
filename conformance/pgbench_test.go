//go:build integration

package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestPgbench runs pgbench's own workloads with more clients than server connections, in every protocol.
func TestPgbench(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		target = target.ownDatabase(t, "bench")
		target.succeed(t, program{name: "pgbench", arguments: []string{"--initialize", "--scale=1", "--quiet"}})
		before := balances(t, target)
		for _, protocol := range []string{"simple", "extended", "prepared"} {
			t.Run(protocol, func(t *testing.T) {
				pgbench(t, target, 8, 25, "--protocol="+protocol)
				pgbench(t, target, 8, 25, "--protocol="+protocol, "--select-only")
			})
			t.Run(protocol+" with a login per transaction", func(t *testing.T) {
				pgbench(t, target, 4, 10, "--protocol="+protocol, "--connect")
			})
		}
		if after := balances(t, target); after == before {
			t.Errorf("the balances have not changed: %s", after)
		}
	})
}

// balances checks pgbench's invariant: the three sums agree with the history.
func balances(t *testing.T, target *target) string {
	t.Helper()
	session := target.simple(t)
	sum := session.run("SELECT sum(abalance) FROM pgbench_accounts")
	session.expect("SELECT sum(bbalance) FROM pgbench_branches", sum)
	session.expect("SELECT sum(tbalance) FROM pgbench_tellers", sum)
	session.expect("SELECT coalesce(sum(delta), 0) FROM pgbench_history", sum)
	return sum
}

// TestPgbenchPipelines sends several transactions at once and reads their answers later.
func TestPgbenchPipelines(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		script := filepath.Join(t.TempDir(), "pipeline.sql")
		text := `
\set n random(1, 1000)
\startpipeline
SELECT :n;
BEGIN;
SELECT :n + 1;
SELECT pg_advisory_xact_lock(:n);
COMMIT;
\endpipeline
BEGIN;
\startpipeline
SELECT :n;
SELECT :n, 'more';
\endpipeline
COMMIT;
`
		if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, protocol := range []string{"extended", "prepared"} {
			pgbench(t, target, 6, 25, "--no-vacuum", "--protocol="+protocol, "--file="+script)
		}
	})
}

// pgbench runs one and requires that every transaction was done.
func pgbench(t *testing.T, target *target, clients, transactions int, more ...string) {
	t.Helper()
	arguments := append([]string{
		"--no-vacuum", fmt.Sprint("--client=", clients), fmt.Sprint("--transactions=", transactions),
		// A thread for each client: pgbench prepares statements with a call that blocks its thread, and a client
		// that waits so for a server connection would keep others of its thread from giving theirs back.
		fmt.Sprint("--jobs=", clients),
	}, more...)
	done := target.run(t, program{name: "pgbench", arguments: arguments})
	processed := regexp.MustCompile(fmt.Sprintf(
		`number of transactions actually processed: %d/%[1]d`, clients*transactions)).MatchString(done.output)
	if done.code != 0 || !processed {
		t.Errorf("pgbench %v: exit code %d\n%s%s", more, done.code, done.output, done.errors)
	}
}
