package archtest

import (
	"strings"
	"testing"
)

var selfTests = []struct {
	name, path, text string
	rule             func([]*source) []finding
	want             string // a part of the one finding; empty for none
}{
	{"a package without a row", "internal/new/a.go", "package new", importsFollowTable, "has no row"},
	{"the data path imports config", "internal/relay/a.go",
		importing("relay", module+"/internal/config"), importsFollowTable, "does not allow"},
	{"the data path imports a test helper", "internal/relay/a.go",
		importing("relay", module+"/internal/pgtest"), importsFollowTable, "test helpers"},
	{"a test imports a test helper", "internal/relay/a_test.go",
		importing("relay", module+"/internal/pgtest"), importsFollowTable, ""},
	{"a test of the relay imports server", "internal/relay/a_test.go",
		importing("relay", module+"/internal/server"), importsFollowTable, "composition root"},
	{"the program imports server", "cmd/usher/main.go",
		importing("main", module+"/internal/server"), importsFollowTable, ""},
	{"the library imports the engine", "usher.go", importing("usher", module+"/pool"), importsFollowTable, ""},
	{"the library imports the data path", "usher.go",
		importing("usher", module+"/internal/wire"), importsFollowTable, "does not allow"},
	{"the relay imports the library", "internal/relay/a.go",
		importing("relay", module), importsFollowTable, "does not allow"},
	{"a foreign module", "internal/web/a.go",
		importing("web", prometheusModule+"/prometheus"), importsFollowTable, "that module"},
	{"a module whose name only begins alike", "internal/metrics/a.go",
		importing("metrics", prometheusModule+"s"), importsFollowTable, "that module"},
	{"an allowed module", "internal/metrics/a.go",
		importing("metrics", prometheusModule+"/prometheus"), importsFollowTable, ""},
	{"a core starts a process", "internal/wire/a.go",
		importing("wire", "os/exec"), importsFollowTable, "opens nothing"},
	{"a core opens a file", "internal/wire/a.go",
		importing("wire", "os"), importsFollowTable, "opens nothing"},
	{"auth reads its file", "internal/auth/a.go",
		importing("auth", "os"), importsFollowTable, ""},
	{"a core opens a socket", "internal/auth/a.go",
		`package auth; var _, _ = net.Dial("tcp", "x")`, coresOpenNoSocket, "uses net.Dial"},
	{"a core writes an address", "internal/config/a.go",
		`package config; var _ = net.JoinHostPort("h", "1")`, coresOpenNoSocket, ""},
	{"a core reads the clock", "pool/a.go",
		`package pool; var t = time.Now()`, coresReadNoClock, "as an argument"},
	{"a core reckons with durations", "pool/a.go",
		`package pool; var t = time.Duration(1)`, coresReadNoClock, ""},

	{"a long function", "a/a.go", function(72), overBudget, "function has 72 lines"},
	{"a function at its budget", "a/a.go", function(70), overBudget, ""},
	{"a long file", "a/a.go", "package a\n" + strings.Repeat("\n", 500), overBudget, "file has 501 lines"},
	{"a wide line", "a/a.go", "package a\n// " + strings.Repeat("ab ", 40) + "\n", wideLines, "break them"},
	{"a long link", "a/a.go", "package a\n// https://" + strings.Repeat("ab", 60) + "\n", wideLines, ""},

	{"no package comment", "a/a.go", "package a", packageComments, "no comment"},
	{"a license above an empty line", "a/a.go", "// License\n\npackage a", packageComments, "no comment"},
	{"a package comment", "a/a.go", "// Package a is.\npackage a", packageComments, ""},
	{"a panic", "a/a.go", `package a; func f() { panic("no") }`, panicsAreBugs, "our own bugs"},
	{"a panic with an error", "a/a.go", `package a; func f() { panic(err) }`, panicsAreBugs, "our own bugs"},
	{"a bug", "a/a.go", `package a; func f() { panic("bug: " + x) }`, panicsAreBugs, ""},
	{"a bug with details", "a/a.go",
		`package a; func f() { panic(fmt.Sprintf("bug: %d", 1)) }`, panicsAreBugs, ""},
	{"a goroutine", "pool/a.go", `package pool; func f() { go f() }`, goStatements, "Run(ctx) error"},
	{"a sleeping test", "a/a_test.go",
		`package a; func f() { time.Sleep(1) }`, sleepingTests, "a test sleeps"},
	{"sleeping in a bubble", "a/a_test.go",
		`package a; func f() { synctest.Test(t, func(t *testing.T) { time.Sleep(1) }) }`, sleepingTests, ""},
}

// TestEveryRuleFindsWhatBreaksIt tries the rules on sources made for it: a rule that finds nothing proves
// nothing.
func TestEveryRuleFindsWhatBreaksIt(t *testing.T) {
	t.Parallel()
	for _, test := range selfTests {
		s, err := parse(test.path, test.text)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		found := test.rule([]*source{s})
		switch {
		case test.want == "" && len(found) > 0:
			t.Errorf("%s: got %v, want no finding", test.name, found)
		case test.want != "" && (len(found) != 1 || !strings.Contains(found[0].text, test.want)):
			t.Errorf("%s: got %v, want one finding with %q", test.name, found, test.want)
		}
	}
}

func importing(name, path string) string { return "package " + name + "; import _ \"" + path + "\"" }

// function is a file with one function of so many lines.
func function(lines int) string {
	return "package a\n\nfunc f() {" + strings.Repeat("\n\tx()", lines-2) + "\n}\n"
}

func TestAPackageIsTheSumOfItsFiles(t *testing.T) {
	t.Parallel()
	var all []*source
	for _, name := range []string{"a/a.go", "a/b.go", "a/c.go", "a/d.go", "a/e.go", "a/f.go"} {
		s, err := parse(name, "package a"+strings.Repeat("\n", 450))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	found := overBudget(all)
	if len(found) != 1 || found[0].place != "a/" {
		t.Errorf("got %v, want the package a", found)
	}
	twice, err := parse("a/doc.go", "// Package a again.\npackage a")
	if err != nil {
		t.Fatal(err)
	}
	first, err := parse("a/a.go", "// Package a is.\npackage a")
	if err != nil {
		t.Fatal(err)
	}
	if found := packageComments([]*source{first, twice}); len(found) != 1 ||
		!strings.Contains(found[0].text, "a/a.go and a/doc.go") {
		t.Errorf("got %v, want one finding about two comments", found)
	}
}
