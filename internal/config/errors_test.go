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
	for i := range 60 {
		file.WriteString("wrong" + plain(int64(i)) + ": 1\n")
	}
	_, err := Parse("usher.yaml", []byte(file.String()))
	if err == nil || !strings.HasSuffix(err.Error(), "and 42 more errors") {
		t.Errorf("got %v", err) // 60 unknown keys, and the missing users and pools
	}
}
