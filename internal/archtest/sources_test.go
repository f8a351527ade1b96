package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	module = "github.com/usher-pg/usher"
	root   = "../.."
)

// A source is one Go file of the module, whatever operating system it is for.
type source struct {
	path  string // from the root of the module, with slashes
	dir   string // the package's directory, "." for the root
	test  bool
	text  string
	file  *ast.File
	files *token.FileSet
}

// A finding is a broken rule, with its place and what to do.
type finding struct {
	place string
	text  string
}

func (f finding) String() string { return f.place + ": " + f.text }

func (s *source) finding(at token.Pos, format string, args ...any) finding {
	line := s.files.Position(at).Line
	return finding{s.path + ":" + strconv.Itoa(line), fmt.Sprintf(format, args...)}
}

// imports returns the import paths of a file.
func (s *source) imports() []string {
	var paths []string
	for _, spec := range s.file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// sources reads the module once for all tests.
var sources = sync.OnceValues(func() ([]*source, error) {
	var all []*source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if entry.IsDir() && rel != "." && notOurs(entry.Name()) {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		s, err := parse(filepath.ToSlash(rel), string(text))
		if err != nil {
			return err
		}
		all = append(all, s)
		return nil
	})
	return all, err
})

// notOurs are directories the go command skips too, and those of other languages.
func notOurs(dir string) bool {
	return strings.HasPrefix(dir, ".") || strings.HasPrefix(dir, "_") ||
		slices.Contains([]string{"testdata", "node_modules", "vendor", "bin", "out"}, dir)
}

func parse(name, text string) (*source, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &source{name, path.Dir(name), strings.HasSuffix(name, "_test.go"), text, file, files}, nil
}

// ourSources is sources for a test.
func ourSources(t *testing.T) []*source {
	t.Helper()
	all, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("found only %d files: is %s still the root of the module?", len(all), root)
	}
	return all
}

// packages returns the directories that hold Go files, sorted.
func packages(all []*source) []string {
	var dirs []string
	for _, s := range all {
		dirs = append(dirs, s.dir)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// check runs a rule over the module.
func check(t *testing.T, rule func([]*source) []finding) {
	t.Helper()
	for _, f := range rule(ourSources(t)) {
		t.Error(f)
	}
}
