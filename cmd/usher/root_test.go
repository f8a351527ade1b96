package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// execute calls usher with arguments.
func execute(args ...string) (output string, code int) {
	root := rootCommand()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		return out.String() + err.Error(), exitCode(err)
	}
	return out.String(), 0
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "usher.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const pools = "pools:\n  app: {url: \"postgres://app@db/app\"}\n"
	good := file("auth: {type: trust}\n" + pools)
	for name, tt := range map[string]struct {
		args []string
		code int
		says string
	}{
		"help":                      {[]string{"--help"}, 0, "check-config"},
		"nothing is help":           {nil, 0, "check-config"},
		"version":                   {[]string{"version"}, 0, "usher " + release},
		"the flag is the same":      {[]string{"--version"}, 0, "usher " + release},
		"a good configuration":      {[]string{"check-config", good}, 0, ""},
		"a good one by the flag":    {[]string{"check-config", "--config", good}, 0, ""},
		"a file and the flag":       {[]string{"check-config", good, "-c", good}, exitMisused, "expected one configur"},
		"completion":                {[]string{"completion", "bash"}, 0, "usher"},
		"no such command":           {[]string{"sing"}, exitMisused, `unknown command "sing"`},
		"no such flag":              {[]string{"serve", "--loud"}, exitMisused, "see usher serve --help"},
		"too many arguments":        {[]string{"serve", "x"}, exitMisused, "see usher serve --help"},
		"too few arguments":         {[]string{"check-config"}, exitMisused, "see usher check-config --help"},
		"no such file":              {[]string{"check-config", "/no/such"}, exitMisused, "/no/such"},
		"a bad configuration":       {[]string{"check-config", file("a: 1\n")}, exitMisused, "usher.yaml:1:1"},
		"a load test of nobody":     {[]string{"load-test", "--clients", "1"}, exitMisused, "see usher load-test --help"},
		"no such phase":             {[]string{"load-test", "--phases", "sunday"}, exitMisused, "full-house"},
		"the clients are hidden":    {[]string{"--help"}, 0, "Show how fast connections are acquired under load\n  serve "},
		"serve a bad configuration": {[]string{"serve", "-c", file("a: 1\n")}, exitMisused, "usher.yaml:1:1"},
		"a file it names is missing": {
			[]string{"check-config", file("auth: {users_file: /no/such}\n" + pools)}, exitMisused, "users file",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output, code := execute(tt.args...)
			if code != tt.code || !strings.Contains(output, tt.says) {
				t.Errorf("exit code %d, want %d; output, want %q:\n%s", code, tt.code, tt.says, output)
			}
			if tt.code == 0 && tt.says == "" && output != "" {
				t.Errorf("output:\n%s", output)
			}
		})
	}
	if code := exitCode(errors.New("anything")); code != exitFailed {
		t.Errorf("exit code %d of a failure", code)
	}
}
