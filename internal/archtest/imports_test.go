package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// reach is what of the outside a package's code touches.
type reach int

const (
	// nothing: no socket, no file, no process, no clock. What it decides is a function of its arguments.
	nothing reach = iota
	// files: it may read files, but opens no socket and reads no clock.
	files
	// world: it does input and output.
	world
)

// A row says what a package may import in code that is not a test.
type row struct {
	path    string
	touches reach
	ours    []string // packages of this module
	modules []string // modules of others
}

const everything = "*"

const (
	unixModule       = "golang.org/x/sys"
	pgxModule        = "github.com/jackc/pgx/v5"
	prometheusModule = "github.com/prometheus/client_golang"
	yamlModule       = "github.com/goccy/go-yaml"
	grpcModule       = "google.golang.org/grpc"
)

// table is the architecture. A row may come before its package.
var table = []row{
	// The engine and the words of the protocol: they know nobody.
	{"pool", nothing, nil, nil},
	{"internal/wire", nothing, nil, nil},
	{"internal/pgerr", nothing, []string{"internal/wire"}, nil},

	// The data path. It never imports the brain, the cluster, the console, metrics, web or config.
	{"internal/auth", files, []string{"internal/wire", "internal/pgerr"},
		[]string{"github.com/xdg-go/scram", "github.com/xdg-go/stringprep"}},
	{"internal/socket", world, nil, []string{unixModule}},
	{"internal/carrier", world, []string{"internal/wire", "internal/socket"}, []string{unixModule}},
	{"internal/reactor", world, nil, []string{unixModule}},
	{"internal/session", nothing, []string{"internal/wire"}, nil},
	{"internal/lanes", nothing, []string{"pool"}, nil},
	{"internal/prepared", nothing, []string{"internal/wire", "internal/session", "internal/lanes", "pool"}, nil},
	{"internal/login", world, []string{"internal/wire", "internal/pgerr", "internal/auth", "internal/carrier"},
		[]string{unixModule}},
	{"internal/backend", world, []string{"internal/wire", "internal/pgerr", "internal/auth", "internal/carrier"},
		[]string{unixModule}},
	{"internal/relay", world, []string{
		"pool", "internal/wire", "internal/pgerr", "internal/carrier", "internal/reactor", "internal/session",
		"internal/prepared", "internal/backend", "internal/login", "internal/socket", "internal/lanes",
	}, []string{unixModule}},

	{"internal/routing", world, []string{
		"pool", "internal/wire", "internal/pgerr", "internal/auth", "internal/login", "internal/backend",
		"internal/relay", "internal/config", "internal/lanes",
	}, nil},

	// The library: the engine for Go programs. "." is the root of the module.
	{".", world, []string{"pool"}, []string{pgxModule, unixModule}},
	{"pgxpool", world, []string{"pool", "."}, []string{pgxModule}},

	// One status, and its renderings, which see nothing else of usher.
	{"internal/status", nothing, []string{
		"pool", "internal/calendar", "internal/forecast", "internal/forecast/report", "internal/scaler", "internal/tuner",
	}, nil},
	{"internal/emergency", nothing, []string{"pool", "internal/status"}, nil},
	{"internal/console", world, []string{"internal/status", "internal/wire", "internal/pgerr"}, nil},
	{"internal/metrics", world, []string{"internal/status"}, []string{prometheusModule}},
	{"internal/web", world, []string{"internal/status"}, nil},

	// The brain, which never sees a connection: what decides is pure, and what fetches and keeps is beneath it.
	{"internal/calendar", nothing, []string{"internal/config/source"},
		[]string{"github.com/emersion/go-ical", "github.com/teambition/rrule-go"}},
	{"internal/calendar/feed", world, []string{"internal/calendar"}, []string{pgxModule}},
	{"internal/history", nothing, nil, nil},
	{"internal/history/sqlite", world, []string{"internal/history"}, []string{"modernc.org/sqlite"}},
	{"internal/history/postgres", world, []string{"internal/history"}, []string{pgxModule}},
	{"internal/history/keeper", world, []string{"internal/history"}, nil},
	{"internal/history/imports", world, []string{"internal/history"}, []string{pgxModule}},
	{"internal/forecast", nothing, []string{"internal/calendar", "internal/history"}, nil},
	{"internal/forecast/series", nothing, nil, nil},
	{"internal/forecast/report", nothing, []string{"internal/calendar", "internal/history", "internal/forecast"}, nil},
	{"internal/forecast/backtest", nothing, []string{
		"internal/calendar", "internal/history", "internal/forecast", "internal/forecast/report",
	}, nil},
	{"internal/past", nothing, []string{"internal/calendar", "internal/history"}, nil},
	{"internal/staffing", nothing, nil, nil},
	{"internal/scaler", nothing, []string{"internal/forecast", "internal/staffing"}, nil},
	{"internal/tuner", nothing, nil, nil},
	{"internal/foresight", nothing, []string{
		"internal/calendar", "internal/config/source", "internal/forecast", "internal/scaler", "internal/status",
	}, nil},
	{"internal/simulation", nothing, []string{
		"internal/calendar", "internal/history", "internal/forecast", "internal/staffing", "internal/scaler",
		"internal/tuner",
	}, nil},
	{"internal/brain", world, []string{
		"pool", "internal/calendar", "internal/calendar/feed", "internal/history", "internal/history/keeper",
		"internal/history/sqlite", "internal/history/postgres", "internal/forecast", "internal/forecast/report",
		"internal/staffing", "internal/scaler", "internal/tuner", "internal/status", "internal/config", "internal/keda",
		"internal/foresight", "internal/past",
	}, []string{"golang.org/x/sync"}},

	// What others scale by: it asks for a number and sees nothing else of usher.
	{"internal/keda", world, []string{"internal/keda/externalscaler"},
		[]string{grpcModule, "golang.org/x/net/netutil"}},
	{"internal/keda/externalscaler", nothing, nil, []string{grpcModule, "google.golang.org/protobuf"}},

	// The cluster.
	{"internal/topology", world, nil, nil},
	{"internal/cluster", world, []string{"internal/topology"}, nil},
	{"internal/cluster/etcd", world, []string{"internal/cluster"}, []string{"go.etcd.io/etcd"}},

	// From a file to a running process.
	{"internal/config", files, []string{"internal/config/source"}, nil},
	{"internal/config/source", nothing, nil, []string{yamlModule}},
	{"internal/watch", world, []string{
		"pool", "internal/config", "internal/emergency", "internal/relay", "internal/routing", "internal/status",
	}, nil},
	{"internal/privatepg", world, nil, []string{pgxModule, unixModule}},
	{"internal/server", world, []string{everything}, []string{unixModule, "golang.org/x/sync"}},
	{"cmd/usher", world, []string{
		"internal/server", "internal/config", "internal/privatepg", "internal/loadtest", "internal/loadtest/crowd",
		"internal/calendar", "internal/calendar/feed", "internal/history", "internal/history/imports",
		"internal/history/sqlite", "internal/history/postgres", "internal/forecast", "internal/forecast/series",
		"internal/forecast/report", "internal/forecast/backtest", "internal/simulation", "internal/brain",
		"internal/foresight", "internal/status",
	},
		[]string{"github.com/spf13/cobra", "golang.org/x/sync", unixModule}},

	// The load test: it conducts usher from outside, as anybody could, and reads its status.
	{"internal/loadtest", world, []string{
		"pool", "internal/auth", "internal/status", "internal/privatepg", "internal/loadtest/crowd",
		"internal/loadtest/report",
	}, []string{pgxModule, unixModule, "github.com/schollz/progressbar/v3"}},
	{"internal/loadtest/crowd", world, []string{
		"pool", "internal/wire", "internal/auth", "internal/socket", "internal/reactor", "internal/status",
	}, []string{unixModule}},
	{"internal/loadtest/report", nothing, []string{"internal/status"}, nil},

	// What is never part of the program.
	{"internal/pgtest", world, []string{"internal/privatepg"}, []string{pgxModule}},
	{"internal/archtest", nothing, nil, nil},
	{"internal/history/historytest", world, []string{"internal/history"}, []string{"github.com/google/go-cmp"}},
	{"internal/chance", files, nil, nil},
	{"internal/scenario", files, nil, []string{"github.com/google/go-cmp"}},
	{"conformance", world, []string{everything}, []string{pgxModule}},
	{"conformance/transcript", world, nil, []string{pgxModule}},
	{"bench", world, []string{"internal/pgtest", "internal/privatepg"},
		[]string{pgxModule, "golang.org/x/sync"}},
}

// endToEnd are the packages whose tests may start the whole program from its parts.
var endToEnd = []string{"cmd/usher", "conformance", "bench", "internal/server"}

// onlyTests are packages that must not reach a program people run.
var onlyTests = []string{
	"internal/pgtest", "internal/archtest", "internal/chance", "internal/scenario", "conformance",
	"conformance/transcript", "bench", "internal/history/historytest",
}

// programs are what people run or import.
var programs = []string{"cmd/usher", "pool", ".", "pgxpool"}

func TestImportsFollowTheTable(t *testing.T) {
	t.Parallel()
	check(t, importsFollowTable)
}

func importsFollowTable(all []*source) []finding {
	var found []finding
	for _, s := range all {
		i := slices.IndexFunc(table, func(r row) bool { return r.path == s.dir })
		if i < 0 {
			found = append(found, finding{s.path, "package " + s.dir + " has no row in the import table: add " +
				"one to table in internal/archtest/imports_test.go, with as little as it needs"})
			continue
		}
		for _, path := range s.imports() {
			if why := refuse(table[i], s, path); why != "" {
				found = append(found, finding{s.path, fmt.Sprintf("imports %s: %s", path, why)})
			}
		}
	}
	return found
}

// refuse says why a file may not import a path, or nothing.
func refuse(r row, s *source, path string) string {
	ours, isOurs := strings.CutPrefix(path, module+"/")
	if path == module {
		ours, isOurs = ".", true
	}
	switch {
	case isOurs && ours == "internal/server" && !slices.Contains(endToEnd, s.dir):
		return "only cmd/usher and end-to-end tests import the composition root; pass in what you need instead"
	case s.test:
		return ""
	case isOurs && ours == "internal/pgtest" && r.path != "bench" && r.path != "conformance":
		return "test helpers stay out of programs; move the code into a _test.go file"
	case isOurs && !allows(r.ours, ours):
		return "its row in the import table does not allow that; define an interface where it is used, or " +
			"move the code; change the table only together with the design"
	case !isOurs && strings.Contains(strings.Split(path, "/")[0], ".") && !allowsModule(r.modules, path):
		return "its row in the import table does not allow that module"
	case r.touches == nothing && slices.Contains(opensFiles, path),
		r.touches != world && slices.Contains(opens, path):
		return "the package decides and opens nothing; let its caller do the input and output"
	}
	return ""
}

// opens are the packages of the standard library that touch more than files, opensFiles those that touch
// files. Package net is looked at more closely: it also takes addresses apart.
var (
	opens      = []string{"net/http", "os/exec", "os/signal", "syscall", "database/sql"}
	opensFiles = []string{"os", "io/ioutil"}
)

func allows(list []string, path string) bool {
	return slices.Contains(list, path) || slices.Contains(list, everything)
}

func allowsModule(list []string, path string) bool {
	return slices.ContainsFunc(list, func(m string) bool { return path == m || strings.HasPrefix(path, m+"/") })
}

func TestCoresReadNoClockAndOpenNoSocket(t *testing.T) {
	t.Parallel()
	check(t, coresReadNoClock)
	check(t, coresOpenNoSocket)
}

// coresOpenNoSocket lets those that are no shells use package net for the text of addresses only.
func coresOpenNoSocket(all []*source) []finding {
	harmless := []string{"SplitHostPort", "JoinHostPort", "ParseIP", "ParseCIDR", "IP", "IPNet"}
	var found []finding
	for _, s := range all {
		if s.test || reachOf(s.dir) == world {
			continue
		}
		for _, used := range selectors(s, "net") {
			if !slices.Contains(harmless, used.Sel.Name) {
				found = append(found, s.finding(used.Pos(), "uses net.%s: the package decides and opens "+
					"nothing; let its caller do the input and output", used.Sel.Name))
			}
		}
	}
	return found
}

// reachOf is what a package may touch; what has no row is another test's business.
func reachOf(dir string) reach {
	i := slices.IndexFunc(table, func(r row) bool { return r.path == dir })
	if i < 0 {
		return world
	}
	return table[i].touches
}

func coresReadNoClock(all []*source) []finding {
	clock := []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"}
	var found []finding
	for _, s := range all {
		if s.test || reachOf(s.dir) == world {
			continue
		}
		for _, call := range calls(s, "time", clock...) {
			found = append(found, s.finding(call.Pos(), "reads the clock or waits; take the time as an argument"))
		}
	}
	return found
}

// TestModulesHaveOneOwner names the modules that only one package may know, so that replacing one stays
// possible.
func TestModulesHaveOneOwner(t *testing.T) {
	t.Parallel()
	owners := map[string]string{
		prometheusModule: "internal/metrics",
		yamlModule:       "internal/config/source",
		"go.etcd.io":     "internal/cluster/etcd",
	}
	for _, r := range table {
		for _, m := range r.modules {
			for owned, owner := range owners {
				if strings.HasPrefix(m, owned) && r.path != owner {
					t.Errorf("the table lets %s import %s, but only %s may", r.path, m, owner)
				}
			}
		}
	}
}

// TestTheDataPathIsAlone holds the table itself: it is easily widened by somebody in a hurry.
func TestTheDataPathIsAlone(t *testing.T) {
	t.Parallel()
	dataPath := []string{
		"pool", "internal/wire", "internal/pgerr", "internal/carrier", "internal/auth", "internal/reactor",
		"internal/login", "internal/backend", "internal/relay", "internal/session", "internal/prepared",
		"internal/socket", "internal/lanes",
	}
	renderings := []string{"internal/console", "internal/metrics", "internal/web"}
	seen := map[string]bool{}
	for _, r := range table {
		if seen[r.path] {
			t.Errorf("%s has two rows", r.path)
		}
		seen[r.path] = true
		for _, ours := range r.ours {
			if slices.Contains(dataPath, r.path) && !slices.Contains(dataPath, ours) {
				t.Errorf("the table lets %s of the data path import %s, which is not of it", r.path, ours)
			}
			if slices.Contains(renderings, r.path) &&
				!slices.Contains([]string{"internal/status", "internal/wire", "internal/pgerr"}, ours) {
				t.Errorf("the table lets %s import %s; renderings see the status only", r.path, ours)
			}
		}
	}
	for _, path := range dataPath {
		if !seen[path] {
			t.Errorf("%s has no row", path)
		}
	}
}

// TestProgramsCarryNoTestCode asks the go command what is linked, also through others' packages.
func TestProgramsCarryNoTestCode(t *testing.T) {
	t.Parallel()
	for program, paths := range dependencies(t, programs) {
		for _, path := range paths {
			ours := strings.TrimPrefix(path, module+"/")
			if slices.Contains(onlyTests, ours) || path == "testing" || strings.HasPrefix(path, "go.uber.org/goleak") {
				t.Errorf("%s is linked into %s; go list -deps ./%s shows by whom it comes in: move that "+
					"import into a _test.go file", path, program, program)
			}
		}
	}
}

// dependencies lists what packages link, by directory.
func dependencies(t *testing.T, dirs []string) map[string][]string {
	t.Helper()
	// A package of a colleague that does not compile at the moment is not this test's business: -e.
	command := exec.Command("go", "list", "-e", "-json=ImportPath,Deps")
	for _, dir := range dirs {
		command.Args = append(command.Args, "./"+dir)
	}
	command.Dir = root
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	linked := map[string][]string{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Deps       []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		dir := path.Clean(strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/"))
		linked[dir] = append(p.Deps, p.ImportPath)
	}
	for _, dir := range dirs {
		if len(linked[dir]) < 10 {
			t.Fatalf("%s links %v: is that all?", dir, linked[dir])
		}
	}
	return linked
}
