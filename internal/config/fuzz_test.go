package config

import (
	"os"
	"strings"
	"testing"
)

// FuzzParse holds that no file makes Parse panic, that its errors are fit for a terminal, and that what it
// accepts is consistent: valid by itself, equal to its clone, and able to print.
func FuzzParse(f *testing.F) {
	scenarios, err := os.ReadFile("testdata/errors.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range strings.Split(string(scenarios), "=== ") {
		_, file, _ := strings.Cut(c, "\n")
		file, _, _ = strings.Cut(file, "---\n")
		f.Add([]byte(file))
	}
	f.Add([]byte(smallest))
	f.Add([]byte("pools: {\"*\": &a {<<: *a, url: [&b *b]}}\n? x\n: |+\n  y\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("fuzz.yaml", data)
		if err != nil {
			for _, r := range err.Error() {
				if r != '\n' && (r < ' ' || r == 0x7f) {
					t.Fatalf("a control character in the error: %q", err)
				}
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("accepted, but not valid: %v", err)
		}
		if changes := Diff(c, c.Clone()); changes != nil {
			t.Errorf("differs from its clone: %v", changes)
		}
		if len(c.Rows()) < len(globalRows) {
			t.Errorf("shows %d rows", len(c.Rows()))
		}
	})
}

// FuzzURL holds that a password never comes out of an error, however the URL is broken around it.
func FuzzURL(f *testing.F) {
	const password = "geheim"
	f.Add("postgres://u:", "@h/d")
	f.Add("postgres://h/d?password=", "&sslmode=x")
	f.Add("postgres://u:/", "#@h:99999/%zz")
	f.Fuzz(func(t *testing.T, before, after string) {
		p := &Pool{explicit: map[string]bool{}}
		err := p.applyURL(before + password + after)
		if err == nil || strings.Contains(before+after, password) {
			return
		}
		// The name of an unknown parameter is shown: it has to be, and nothing secret belongs there.
		if strings.Contains(err.Error(), password) && !strings.Contains(err.Error(), "unknown parameter") {
			t.Errorf("%q: %v", before+password+after, err)
		}
	})
}
