package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestEveryPackageHasOneComment(t *testing.T) {
	t.Parallel()
	check(t, packageComments)
}

func packageComments(all []*source) []finding {
	documented, hasCode := map[string][]string{}, map[string]bool{}
	for _, s := range all {
		hasCode[s.dir] = hasCode[s.dir] || !s.test
	}
	for _, s := range all {
		if s.file.Doc != nil && s.test == !hasCode[s.dir] {
			documented[s.dir] = append(documented[s.dir], s.path)
		}
	}
	var found []finding
	for _, dir := range packages(all) {
		switch list := documented[dir]; {
		case len(list) == 0:
			found = append(found, finding{dir, "the package has no comment: write its manual above one " +
				"package clause"})
		case len(list) > 1:
			found = append(found, finding{dir, "the package has comments in " + strings.Join(list, " and ") +
				": keep one, and an empty line between other comments and the package clause"})
		}
	}
	return found
}

func TestPanicsAreForBugsOnly(t *testing.T) {
	t.Parallel()
	check(t, panicsAreBugs)
}

func panicsAreBugs(all []*source) []finding {
	var found []finding
	for _, s := range all {
		if s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if name, ok := call.Fun.(*ast.Ident); ok && name.Name == "panic" && len(call.Args) == 1 &&
				!strings.HasPrefix(firstText(call.Args[0]), "bug: ") {
				found = append(found, s.finding(call.Pos(),
					`a panic is for our own bugs and its text begins with "bug: "; return an error for anything else`))
			}
			return true
		})
	}
	return found
}

// firstText is the literal an expression's text begins with: of "a" + b, of Sprintf("a", b).
func firstText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, _ := strconv.Unquote(e.Value)
			return text
		}
	case *ast.BinaryExpr:
		return firstText(e.X)
	case *ast.CallExpr:
		if len(e.Args) > 0 {
			return firstText(e.Args[0])
		}
	}
	return ""
}

// goroutines are the packages that may contain a go statement, and what for. Everybody else has Run(ctx)
// error and leaves the go to the caller, so that whoever starts a goroutine also sees it end.
var goroutines = map[string]string{
	".":                            "drives the engines, opens and closes server connections; Close waits for all",
	"bench":                        "a program that measures",
	"cmd/usher":                    "signals",
	"conformance":                  "clients that run at the same time",
	"conformance/transcript":       "reads while it writes, as a client must",
	"internal/backend":             "opens server connections, a bounded number at a time",
	"internal/brain":               "starts the parts of itself and the feeds; Run waits for all",
	"internal/console":             "watches a client that waits for a command to end",
	"internal/history/historytest": "writers at the same time",
	"internal/keda":                "serves while Run waits for its end",
	"internal/loadtest":            "waits for the processes it started and reads what they say",
	"internal/loadtest/crowd":      "its loop, and reading and writing beside it",
	"internal/login":               "one goroutine a client, until it is seated",
	"internal/pgtest":              "collects the output of processes and answers as a fake server",
	"internal/privatepg":           "waits for the processes it started",
	"internal/relay":               "one goroutine an event loop, and those that open connections for it",
	"internal/server":              "the composition root: starts every Run",
	"internal/web":                 "serves while Run waits for its end",
}

func TestGoroutinesAreStartedWhereTheyAreJoined(t *testing.T) {
	t.Parallel()
	check(t, goStatements)
}

func goStatements(all []*source) []finding {
	var found []finding
	for _, s := range all {
		if s.test || goroutines[s.dir] != "" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				found = append(found, s.finding(g.Pos(), "starts a goroutine: write Run(ctx) error and let the "+
					"caller write go, or add the package with a reason to goroutines in internal/archtest"))
			}
			return true
		})
	}
	return found
}

func TestNoTestSleeps(t *testing.T) {
	t.Parallel()
	check(t, sleepingTests)
}

// sleepingTests finds time.Sleep outside a synctest bubble, where it would cost no real time.
func sleepingTests(all []*source) []finding {
	var found []finding
	for _, s := range all {
		if !s.test && s.dir != "internal/pgtest" {
			continue
		}
		bubbles := calls(s, "synctest", "Test", "Run")
		for _, sleep := range calls(s, "time", "Sleep") {
			around := func(b ast.Node) bool { return b.Pos() < sleep.Pos() && sleep.End() < b.End() }
			if !slices.ContainsFunc(bubbles, around) {
				found = append(found, s.finding(sleep.Pos(), "a test sleeps: wait for the event itself (a channel, a "+
					"message, a state polled with a deadline), or use testing/synctest"))
			}
		}
	}
	return found
}

// selectors returns what a file uses of a package, as in pkg.Name.
func selectors(s *source, pkg string) []*ast.SelectorExpr {
	var list []*ast.SelectorExpr
	ast.Inspect(s.file, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok && x.Name == pkg {
				list = append(list, selector)
			}
		}
		return true
	})
	return list
}

// calls returns the calls of functions of a package, as in pkg.Name(…).
func calls(s *source, pkg string, names ...string) []ast.Node {
	used := selectors(s, pkg)
	var list []ast.Node
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if ok && slices.Contains(used, selector) && slices.Contains(names, selector.Sel.Name) {
			list = append(list, call)
		}
		return true
	})
	return list
}
