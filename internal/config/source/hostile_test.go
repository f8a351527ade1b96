package source

import (
	"strings"
	"testing"
)

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
		"terminal escapes":   {"a: [\x1b[2J", "not correct YAML"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, report := Parse("usher.yaml", []byte(test.file))
			err := report.Err()
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
