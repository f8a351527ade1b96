//go:build integration

package conformance

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPsqlScriptsPrintTheSame runs the scripts in testdata/psql with psql. A script says in comments "--
// expect: …" which lines must be in its output; beyond that, the whole output through usher must equal
// PostgreSQL's.
func TestPsqlScriptsPrintTheSame(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/psql/*.sql")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	outputs := map[string]string{} // of PostgreSQL, by script
	each(t, "two", func(t *testing.T, target *target) {
		for _, script := range scripts {
			t.Run(filepath.Base(script), func(t *testing.T) {
				output := psqlScript(t, target, script)
				if !target.isUsher() {
					outputs[script] = output
					return
				}
				expected, ok := outputs[script]
				if !ok {
					expected = psqlScript(t, directly(target.backing), script)
				}
				if diff := cmp.Diff(expected, output); diff != "" {
					t.Errorf("psql prints something else through usher (-postgres +usher):\n%s", diff)
				}
			})
		}
	})
}

// volatile are numbers that differ from run to run: process ids and OIDs of large objects.
var volatile = regexp.MustCompile(`(PID|lo_import|lo_unlink) \d+`)

func psqlScript(t *testing.T, target *target, script string) string {
	t.Helper()
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	schema := unique("psql")
	done := target.run(t, program{
		name:      "psql",
		arguments: []string{"-X", "--echo-all", "-v", "schema=" + schema, "-v", "HISTFILE=/dev/null", "-f", "-"},
		input:     string(text),
		more:      []string{"PGOPTIONS=-c client_min_messages=notice"},
		folder:    t.TempDir(),
	})
	output := strings.ReplaceAll(done.output+"-- errors\n"+done.errors, schema, "SCHEMA")
	output = volatile.ReplaceAllString(output, "$1 N")
	for line := range strings.Lines(string(text)) {
		expected, ok := strings.CutPrefix(strings.TrimSpace(line), "-- expect: ")
		if ok && !hasLine(output, expected) {
			t.Errorf("%s: no line %q in\n%s", script, expected, output)
		}
	}
	return output
}

func hasLine(text, wanted string) bool {
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == wanted {
			return true
		}
	}
	return false
}

// TestPsqlStopsAtErrorsWithTheRightExitCode: what scripts of operators depend on.
func TestPsqlStopsAtErrorsWithTheRightExitCode(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		cases := []struct {
			name, input string
			arguments   []string
			code        int
			output      string
		}{
			{"a query", "", []string{"-Atc", "SELECT 'fine'"}, 0, "fine\n"},
			{"several commands", "", []string{"-At", "-c", "SELECT 1", "-c", "SELECT 2"}, 0, "1\n2\n"},
			{"an error", "", []string{"-Atc", "SELECT 1/0"}, 1, ""},
			{"stop at an error", "SELECT 1;\nSELECT 1/0;\nSELECT 2;\n", []string{"-At", "-v", "ON_ERROR_STOP=1"}, 3,
				"1\n"},
			{"go on after an error", "SELECT 1/0;\nSELECT 2;\n", []string{"-At"}, 0, "2\n"},
			{"one transaction", "SELECT 1;\nSELECT 1/0;\nSELECT 2;\n", []string{"-At1", "-f", "-"}, 0, "1\n"},
			{"no such database", "", []string{"-d", "user=nobody_at_all", "-c", "SELECT 1"}, 2, ""},
		}
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				if c.name == "no such database" && target.isUsher() {
					t.Skip("trusted users need not exist for usher")
				}
				done := target.run(t, program{name: "psql", arguments: append([]string{"-X"}, c.arguments...),
					input: c.input})
				if done.code != c.code || done.output != c.output {
					t.Errorf("exit code %d, expected %d; output %q, expected %q; errors %q",
						done.code, c.code, done.output, c.output, done.errors)
				}
			})
		}
	})
}
