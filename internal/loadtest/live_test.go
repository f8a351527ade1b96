//go:build integration

package loadtest

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/loadtest/report"
	"github.com/usher-pg/usher/internal/privatepg"
)

// livePatience is how long one small load test may take.
const livePatience = 2 * time.Minute

// program is usher, built once.
var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "usher-loadtest-test-")
		if err != nil {
			panic("bug: " + err.Error())
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "usher")
		build := exec.Command("go", "build", "-o", program, "../../cmd/usher")
		if out, err := build.CombinedOutput(); err != nil {
			_, _ = os.Stderr.Write(out)
			return 1
		}
		return m.Run()
	}())
}

// trial is a load test by the program, with a TMPDIR of its own, by which its processes are found.
type trial struct {
	t        *testing.T
	tmp, out string
	cmd      *exec.Cmd
	output   bytes.Buffer
}

func newTrial(t *testing.T, arguments ...string) *trial {
	t.Helper()
	tr := &trial{t: t, tmp: t.TempDir(), out: t.TempDir()}
	for _, dir := range []string{filepath.Dir(filepath.Dir(tr.tmp)), filepath.Dir(tr.tmp), tr.tmp} {
		if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as somebody else
			t.Fatal(err)
		}
	}
	arguments = append([]string{
		"load-test", "--clients", "200", "--pool-size", "10", "--reserve", "4", "--time-scale", "0.02", "--out", tr.out,
	}, arguments...)
	tr.cmd = exec.Command(program, arguments...)
	tr.cmd.Env = append(os.Environ(), "TMPDIR="+tr.tmp)
	tr.cmd.Stdout, tr.cmd.Stderr = &tr.output, &tr.output
	return tr
}

// run waits for its end and returns the exit code.
func (tr *trial) run() int {
	tr.t.Helper()
	if err := tr.cmd.Start(); err != nil {
		tr.t.Fatal(err)
	}
	return tr.wait()
}

func (tr *trial) wait() int {
	tr.t.Helper()
	timer := time.AfterFunc(livePatience, func() { _ = tr.cmd.Process.Kill() })
	_ = tr.cmd.Wait() // the code tells
	if !timer.Stop() {
		tr.t.Fatalf("no end within %v:\n%s", livePatience, tr.output.String())
	}
	return tr.cmd.ProcessState.ExitCode()
}

// left lists the processes that a trial has started and that still run: those that have its TMPDIR.
func (tr *trial) left() []string {
	entries, _ := filepath.Glob("/proc/[0-9]*/environ")
	var found []string
	for _, entry := range entries {
		text, err := os.ReadFile(entry)
		dir := filepath.Dir(entry)
		if err != nil || filepath.Base(dir) == strconv.Itoa(os.Getpid()) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		if bytes.Contains(text, []byte("TMPDIR="+tr.tmp+"\x00")) || bytes.Contains(command, []byte(tr.tmp+"/")) {
			found = append(found, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return found
}

// nothingIsLeft waits until no process and no folder of the trial is there.
func (tr *trial) nothingIsLeft(folders bool) {
	tr.t.Helper()
	tr.until("the end of "+strings.Join(tr.left(), "; "), func() bool { return len(tr.left()) == 0 })
	if entries, err := os.ReadDir(tr.tmp); folders && (err != nil || len(entries) > 0) {
		tr.t.Errorf("in its folder are %v, %v", entries, err)
	}
}

// until polls what another process does.
func (tr *trial) until(what string, is func() bool) {
	tr.t.Helper()
	ctx, cancel := context.WithTimeout(tr.t.Context(), livePatience)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !is() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			tr.t.Fatalf("%s did not come:\n%s", what, tr.output.String())
		}
	}
}

func (tr *trial) report() *report.Report {
	tr.t.Helper()
	text, err := os.ReadFile(filepath.Join(tr.out, jsonName))
	if err != nil {
		tr.t.Fatalf("%v\n%s", err, tr.output.String())
	}
	var r report.Report
	if err := json.Unmarshal(text, &r); err != nil {
		tr.t.Fatal(err)
	}
	if page, err := os.ReadFile(filepath.Join(tr.out, htmlName)); err != nil || !bytes.Contains(page, []byte("</html>")) {
		tr.t.Errorf("the page: %v", err)
	}
	if !strings.Contains(tr.output.String(), "\n"+r.Line+"\n") {
		tr.t.Errorf("the output lacks the line %q:\n%s", r.Line, tr.output.String())
	}
	return &r
}

// TestAWholeLoadTest runs every phase, small. Whether the promise is kept on a machine that runs other tests meanwhile
// is not for this test to say; that the verdicts and the exit code fit what was measured is.
func TestAWholeLoadTest(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	code := tr.run()
	r := tr.report()
	if (code == 0) != r.Passed || code != 0 && code != 1 || strings.HasPrefix(r.Line, "PASS") != r.Passed {
		t.Errorf("exit code %d, passed is %v, the line is %q", code, r.Passed, r.Line)
	}
	usher := &r.Sides[0]
	for _, name := range PhaseNames() {
		p := usher.Phase(name)
		if p == nil || len(p.Verdicts) == 0 {
			t.Errorf("phase %s: %+v", name, p)
			continue
		}
		for _, l := range p.Lanes {
			served := l.Served > 0 || name == phaseHeld && l.Name != "critical"
			if l.Arrived != l.Served+l.Errors() || !served || l.Acquisition.Count < l.Served || l.Began.Count != l.Served ||
				l.Latency.Count != l.Served {
				t.Errorf("%s, lane %s: %+v, acquisition %+v, began %+v", name, l.Name, l, l.Acquisition, l.Began)
			}
			if l.Served > 0 && (l.Latency.P50 < 10*time.Millisecond || l.Began.P50 > l.Latency.P50) {
				t.Errorf("%s, lane %s: work of 10 ms ended after %+v and began after %+v", name, l.Name, l.Latency, l.Began)
			}
		}
		if want := int(p.Length.Seconds()); name != phaseDoors && len(p.Seconds) != want {
			t.Errorf("%s: %d seconds, want %d", name, len(p.Seconds), want)
		}
	}
	if held := usher.Phase(phaseHeld); held.Held != 10 || held.Lane("critical").Emergencies == 0 {
		t.Errorf("%d held, %+v", held.Held, held.Lane("critical"))
	}
	if cold := usher.Phase(phaseColdStroke); cold.Seconds[0].Open <= unpreparedMin {
		t.Errorf("the unprepared pool did not grow: %+v", cold.Seconds[0])
	}
	tr.nothingIsLeft(true)
}

func TestAPromiseThatIsNotKeptFails(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "--phases", "doors,incident", "--objective", "1us", "--simple")
	if code := tr.run(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	r := tr.report()
	if r.Passed || !strings.HasPrefix(r.Line, "FAIL: <1µs connection acquisition under 200 concurrent load: incident, ") {
		t.Errorf("%v, %q", r.Passed, r.Line)
	}
	states := map[report.State]int{}
	for _, v := range r.Sides[0].Phase(phaseIncident).Verdicts {
		states[v.State]++
	}
	if states[report.Failed] < 2 || states[report.Invalid] != 1 { // acquisition, as felt; and the generator is later
		t.Errorf("verdicts: %v", r.Sides[0].Phase(phaseIncident).Verdicts)
	}
	tr.nothingIsLeft(true)
}

// TestPgBouncerGetsTheSameLoad also uses a PostgreSQL that is not the load test's own.
func TestPgBouncerGetsTheSameLoad(t *testing.T) {
	t.Parallel()
	if _, _, err := findPgBouncer(t.Context()); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	postgres, err := privatepg.Start(t.Context(), privatepg.Config{
		Dir: filepath.Join(dir, "pg"), Settings: map[string]string{"fsync": "off"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := postgres.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	tr := newTrial(t, "--phases", "full-house,incident", "--compare", "pgbouncer", "--work", "wait:5ms",
		"--dsn", postgres.URL("postgres"))
	_ = tr.run()
	r := tr.report()
	if len(r.Sides) != 2 || r.Sides[1].Name != pgbouncerName || r.Sides[1].Judged {
		t.Fatalf("%d sides", len(r.Sides))
	}
	for _, name := range []string{phaseFullHouse, phaseIncident} {
		ours, theirs := r.Sides[0].Phase(name), r.Sides[1].Phase(name)
		for i := range ours.Lanes {
			if a, b := ours.Lanes[i], theirs.Lanes[i]; a.Arrived != b.Arrived || b.Served == 0 || b.Began.Count == 0 ||
				b.Acquisition != nil {
				t.Errorf("%s: lane %s: %+v beside %+v", name, a.Name, a, b)
			}
		}
		if !theirs.MeanWaitKnown {
			t.Errorf("%s: nothing from SHOW STATS", name)
		}
	}
	if err := postgres.Exec(t.Context(), "postgres", "select * from "+tableName); err == nil {
		t.Error("the table is still there")
	}
	tr.nothingIsLeft(true)
}

func TestASignalEndsEverything(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		signal  syscall.Signal
		folders bool // are removed too
	}{{syscall.SIGINT, true}, {syscall.SIGTERM, true}, {syscall.SIGKILL, false}} {
		tr := newTrial(t, "--time-scale", "1", "--phases", "saturday")
		if err := tr.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		tr.until("the clients", func() bool {
			return strings.Contains(strings.Join(tr.left(), " "), ClientsCommand)
		})
		if err := tr.cmd.Process.Signal(tt.signal); err != nil {
			t.Fatal(err)
		}
		if code := tr.wait(); code == 0 {
			t.Errorf("exit code 0 after %v", tt.signal)
		}
		tr.nothingIsLeft(tt.folders)
	}
}
