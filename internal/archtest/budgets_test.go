package archtest

import (
	"go/ast"
	"strings"
	"testing"
	"unicode/utf8"
)

// The budgets of size. What does not fit is usually two things.
const (
	maxFunctionLines = 70
	maxFileLines     = 500
	maxColumns       = 120
	maxPackageLines  = 2500 // without tests
)

// exceptions are the places that exceed a budget, each with its reason: "path" for a file, "path function"
// for a function, "directory/" for a package. An exception nobody needs any more is an error too.
var exceptions = map[string]string{
	"internal/config/":  "mostly rows, one for each option",
	"internal/relay/":   "client and server connections are one machine: every move touches both",
	"pool/":             "one state machine under one mutex",
	"internal/session/": "a reader of SQL and the settings it finds; neither is of use without the other",
}

func TestFunctionsFilesAndPackagesFitTheirBudgets(t *testing.T) {
	t.Parallel()
	all := ourSources(t)
	found := overBudget(all)
	used := map[string]bool{}
	for _, f := range found {
		if exceptions[f.place] == "" {
			t.Error(f)
		}
		used[f.place] = true
	}
	for place := range exceptions {
		if !used[place] {
			t.Errorf("the exception for %s is not needed any more: take it out of exceptions", place)
		}
	}
}

// overBudget gives findings whose places are keys of exceptions.
func overBudget(all []*source) []finding {
	var found []finding
	lines := map[string]int{}
	for _, s := range all {
		count := strings.Count(s.text, "\n")
		if !s.test {
			lines[s.dir] += count
		}
		if count > maxFileLines {
			found = append(found, over(s.path, "file", count, maxFileLines))
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			length := s.files.Position(f.End()).Line - s.files.Position(f.Pos()).Line + 1
			if length > maxFunctionLines {
				found = append(found, over(s.path+" "+f.Name.Name, "function", length, maxFunctionLines))
			}
		}
	}
	for _, dir := range packages(all) {
		if lines[dir] > maxPackageLines {
			found = append(found, over(dir+"/", "package", lines[dir], maxPackageLines))
		}
	}
	return found
}

func over(place, what string, lines, budget int) finding {
	f := finding{place: place}
	f.text = "the " + what + " has " + itoa(lines) + " lines, the budget is " + itoa(budget) +
		": split it, or add the place with a reason to exceptions in internal/archtest/budgets_test.go"
	return f
}

// wideFiles are tables whose rows would be harder to read when broken.
var wideFiles = map[string]string{
	"internal/pgerr/table.go": "one error a line, with its text and hint",
}

func TestLinesFitTheScreen(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, f := range wideLines(ourSources(t)) {
		path, _, _ := strings.Cut(f.place, ":")
		if wideFiles[path] == "" {
			t.Error(f)
		}
		used[path] = true
	}
	for path := range wideFiles {
		if !used[path] {
			t.Errorf("%s has no wide lines any more: take it out of wideFiles", path)
		}
	}
}

func wideLines(all []*source) []finding {
	var found []finding
	for _, s := range all {
		number, first, wide := 0, 0, 0
		for line := range strings.Lines(s.text) {
			number++
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) <= maxColumns || !breakable(line) {
				continue
			}
			if wide++; wide == 1 {
				first = number
			}
		}
		if wide > 0 {
			found = append(found, finding{s.path + ":" + itoa(first), "the first of " + itoa(wide) +
				" lines with more than " + itoa(maxColumns) + " columns: break them"})
		}
	}
	return found
}

// breakable is false for lines that are one word, such as a link.
func breakable(line string) bool {
	return len(strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "//"))) > 1
}
