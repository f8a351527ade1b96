package source

import (
	"strings"
	"testing"
)

func TestSecretsAreMaskedWhereverTheyStand(t *testing.T) {
	t.Parallel()
	tests := []struct{ line, want string }{
		{"url: postgres://u@h:5432/d", "url: postgres://u@h:5432/d"},
		{"url: postgres://h:5432/d", "url: postgres://h:5432/d"},
		{"url: postgres://[::1]:5432/d", "url: postgres://[::1]:5432/d"},
		{"url: postgres://u:geheim@h:5432/d", "url: postgres://u:***@h:5432/d"},
		{"url: postgres://u:ge@heim@h/d", "url: postgres://u:***@h/d"},
		{"url: postgres://u:ge heim@h/d", "url: postgres://u:***@h/d"},
		{"url: postgres://u:geheim/d", "url: postgres://u:***"},
		{"{a: postgres://u:geheim@h, b: postgres://v:geheim@i}", "{a: postgres://u:***@i}"},
		{"url: postgres://h/d?user=u&password=geheim", "url: postgres://h/d?user=u&password=***"},
		{"url: postgres://h/d?PASSWORD=geheim&x=y", "url: postgres://h/d?PASSWORD=***"},
		{"password: geheim", "password: ***"},
		{"password : geheim", "password : ***"},
		{`"password": "geheim"`, `"password": ***`},
		{"{user: u, password: 'ge, heim', mode: x}", "{user: u, password: ***"},
		{"passwd: geheim", "passwd: ***"},
		{"secret_key: geheim", "secret_key: ***"},
		{"password:", "password:"},
		{"mode: session", "mode: session"},
		{"http_admin_token: geheim", "http_admin_token: ***"},
		{`url: "https://cal.example/geheim/basic.ics", poll: 1m`, `url: "https://cal.example/***", poll: 1m`},
		{"url: https://cal.example?key=geheim", "url: https://cal.example/***"},
		{"url: https://cal.example", "url: https://cal.example"},
		{"{url: https://cal.example/geheim, poll: 1m}", "{url: https://cal.example/***, poll: 1m}"},
		{"url: webcal://cal.example/geheim", "url: webcal://cal.example/***"},
		{"url: HTTPS://cal.example/geheim", "url: HTTPS://cal.example/***"},
		{`{url: "https:///geheim", poll: 1m}`, `{url: "https:///***", poll: 1m}`},
		{`{url: "https://cal .example/geheim x", poll: 1m}`, `{url: "https://cal .example/***", poll: 1m}`},
		{"url: https:cal.example/geheim", "url: https:cal.example/***"},
		{"url: cal.example/geheim", "url: cal.example/***"},
		{`"url": '//cal.example/geheim?geheim', poll: 1m`, `"url": '//cal.example/***', poll: 1m`},
		{"url: /geheim", "url: /***"},
		{"curl: a/b", "curl: a/b"},
		{"http: unix:/run/usher", "http: unix:/run/usher"},
	}
	for _, test := range tests {
		if got := Redact(test.line); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.line, got, test.want)
		}
	}
}

// TestSecretsOfSeveralLinesAreMasked quotes the line with the mark.
func TestSecretsOfSeveralLinesAreMasked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file string
		shown      bool // whether the line is harmless and must be shown
	}{
		{"a block", "password: |\n  >geheim", false},
		{"the second line of a block", "password: |\n  x\n  >geheim", false},
		{"a block with a colon in it", "password: |\n  x: y\n  >geheim", false},
		{"the line below the key", "password:\n  >geheim", false},
		{"a text in quotes", "{password: \"x\n>geheim\"}", false},
		{"a URL in two lines", "url: \"postgres://u:x\n  >geheim@h\"", false},
		{"the key after a password", "password: x\n>mode transaction", true},
		{"the key after a URL", "url: postgres://u@h/d\n>mode transaction", true},
		{"a list", "a:\n  - b\n  >- c", true},
	}
	for _, test := range tests {
		var lines []string
		marked := 0
		for i, line := range strings.Split(test.file, "\n") {
			if strings.Contains(line, ">") && !strings.HasSuffix(line, ">") {
				marked = i
				line = strings.Replace(line, ">", "", 1)
			}
			lines = append(lines, line)
		}
		got := redactLine(lines, marked)
		if strings.Contains(got, "geheim") || (got == lines[marked]) != test.shown {
			t.Errorf("%s: got %s", test.name, got)
		}
	}
}
