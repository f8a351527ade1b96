package config

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the generated documents and the expected errors")

// TestErrorsShowWhatIsWrongAndWhere plays testdata/errors.txt: "=== name", a file, "---", the errors it must
// cause. Run with -rewrite to accept what comes out, then read the difference.
func TestErrorsShowWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	const path = "testdata/errors.txt"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rewritten strings.Builder
	cases := strings.Split(string(text), "=== ")
	rewritten.WriteString(cases[0])
	for _, c := range cases[1:] {
		name, rest, _ := strings.Cut(c, "\n")
		input, want, _ := strings.Cut(rest, "---\n")
		got := "no error\n"
		if _, err := Parse("usher.yaml", []byte(input)); err != nil {
			got = err.Error() + "\n"
		}
		rewritten.WriteString("=== " + name + "\n" + input + "---\n" + got + "\n")
		if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(got)); diff != "" && !*rewrite {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if strings.Contains(got, "geheim") {
			t.Errorf("%s: the errors show the password", name)
		}
	}
	if *rewrite {
		if err := os.WriteFile(path, []byte(rewritten.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestErrorsCanBeTakenApart(t *testing.T) {
	t.Parallel()
	_, err := Parse("usher.yaml", []byte("auth: {type: trust}\nloops: 0\npools: {a: {url: postgres://h}}\n"))
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %T, want an Error inside", err)
	}
	if e.File != "usher.yaml" || e.Line != 2 || e.Column != 8 || e.Path != "loops" {
		t.Errorf("got %s:%d:%d %s, want usher.yaml:2:8 loops", e.File, e.Line, e.Column, e.Path)
	}
}

func TestMoreErrorsThanHelpAreCounted(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	for i := range 3 * maxErrors {
		file.WriteString("wrong" + plain(int64(i)) + ": 1\n")
	}
	_, err := Parse("usher.yaml", []byte(file.String()))
	if err == nil || !strings.HasSuffix(err.Error(), "and 42 more errors") {
		t.Errorf("got %v", err) // 60 unknown keys, and the missing users and pools
	}
}

func TestHostileFilesAreRefused(t *testing.T) {
	t.Parallel()
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'm'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 10) + "]\n"
	}
	tests := map[string]struct{ file, want string }{
		"too large":          {strings.Repeat("#", MaxFileSize+1), "larger than 256kB"},
		"not UTF-8":          {"listen: [\"\xff\"]", "not text in UTF-8"},
		"NUL":                {"listen: [\"a\x00b\"]", "not text in UTF-8"},
		"deep flow":          {strings.Repeat("[", 4000), "nested too deeply"},
		"deep maps":          {strings.Repeat("{a: ", 1000), "nested too deeply"},
		"deep lists":         {strings.Repeat("- ", 2000), "nested too deeply"},
		"deep keys":          {strings.Repeat("? ", 2000), "nested too deeply"},
		"deep anchors":       {strings.Repeat("&a\n", 20_000), "nested too deeply"},
		"tags":               {strings.Repeat("!a ", 1000), "tags and directives"},
		"alias bomb":         {bomb, "repeated too often"},
		"alias of itself":    {"a: &a {b: *a}", "no anchor of that name"},
		"list of everything": {"listen: [" + strings.Repeat("a, b, c,\n", 15_000) + "]", "too much for one file"},
		"long line":          {"a: " + strings.Repeat("x", 5000), "a line of more than 4096 bytes"},
		"empty lines":        {"a: |\n" + strings.Repeat("\n", 10_000), "empty lines in a row"},
		"carriage returns":   {"a: |\n" + strings.Repeat("\r", 50_000), "not text in UTF-8"},
		"lines":              {"a: " + strings.Repeat("a\n", 50_000), "more than 20000 lines"},
		"escapes":            {"a: \"" + strings.Repeat("\\n", 2000) + "\"", "more than 1000 backslashes"},
		"terminal escapes":   {"a\x1b[2J: 1", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("usher.yaml", []byte(test.file))
			if err == nil {
				t.Fatal("got no error")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %.300s…, want %s", err, test.want)
			}
			if strings.Contains(err.Error(), "\x1b") || len(err.Error()) > 10_000 {
				t.Errorf("the error of %d bytes is not fit for a terminal", len(err.Error()))
			}
		})
	}
}
