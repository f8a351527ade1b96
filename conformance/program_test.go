//go:build integration

package conformance

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/privatepg"
)

// programPatience is how long a program may take; those here need seconds.
const programPatience = time.Minute

// program is one of PostgreSQL's, or any other, run as a user would run it.
type program struct {
	name      string
	arguments []string
	input     string
	more      []string // environment
	folder    string
}

// outcome of a program that has ended.
type outcome struct {
	output string // standard output
	errors string // standard error
	code   int
}

// run lets a program work on a target.
func (t *target) run(tb testing.TB, p program) outcome {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), programPatience)
	defer cancel()
	command := exec.CommandContext(ctx, find(tb, p.name), p.arguments...)
	command.Env = append(append(os.Environ(), t.environment()...), p.more...)
	command.Dir = p.folder
	command.Stdin = strings.NewReader(p.input)
	command.WaitDelay = 5 * time.Second
	var output, problems bytes.Buffer
	command.Stdout, command.Stderr = &output, &problems
	err := command.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) || ctx.Err() != nil {
		tb.Fatalf("run %s on %s: %v\n%s%s", p.name, t.name, err, output.String(), problems.String())
	}
	return outcome{output.String(), problems.String(), command.ProcessState.ExitCode()}
}

// succeed runs a program that must end well, and returns its output.
func (t *target) succeed(tb testing.TB, p program) string {
	tb.Helper()
	done := t.run(tb, p)
	if done.code != 0 {
		tb.Fatalf("%s on %s: exit code %d\n%s%s", p.name, t.name, done.code, done.output, done.errors)
	}
	return done.output
}

// find looks in PATH and in PostgreSQL's own folder, which Debian does not put there.
func find(tb testing.TB, name string) string {
	tb.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	installed, err := privatepg.Find(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	for _, installation := range installed {
		if path := installation.Program(name); isFile(path) {
			return path
		}
	}
	tb.Fatalf("the program %s is not installed", name)
	return ""
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// ownDatabase creates a database for one scenario and returns the target moved to it. Through usher it is
// served by the fallback pool.
func (t *target) ownDatabase(tb testing.TB, prefix string) *target {
	tb.Helper()
	moved := t.in(unique(prefix))
	admin := t.admin(tb)
	admin.run("CREATE DATABASE " + moved.database)
	tb.Cleanup(func() {
		fresh := directly(t.backing).simple(tb)
		fresh.run("DROP DATABASE " + moved.database + " WITH (FORCE)")
		fresh.conn.Close(context.Background())
	})
	return moved
}
