package config

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	docsFile    = "../../docs/config.md"
	exampleFile = "../../examples/usher.yaml"
)

// TestDocs holds the documents that are made from the rows against the rows.
func TestDocs(t *testing.T) {
	for path, want := range map[string]string{docsFile: renderDocs(), exampleFile: renderExample()} {
		if *rewrite {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			const rerun = "go test ./internal/config -run TestDocs -rewrite"
			t.Errorf("%s is not what the rows say; run %s:\n%s", path, rerun, diff)
		}
	}
}

// exampleValues are what the example says where the default would be no example.
var exampleValues = map[string]string{
	"listen":                `["127.0.0.1:6432", "unix:/tmp/.s.PGSQL.6432"]`,
	"http":                  `"127.0.0.1:8432"`,
	"auth.users_file":       `/etc/usher/users.txt`,
	"admin_users":           `[postgres]`,
	"lanes.rules":           `[{users: [checkout], lane: critical}, {application_names: ["report*"], lane: low}]`,
	"stats_users":           `[monitoring]`,
	"calendars":             `[{name: weddings, file: /etc/usher/weddings.ics, kind: wedding}]`,
	"budgets.<server>":      `100`,
	"pools.<name>.url":      `postgres://app@db.example:5432/app`,
	"pools.<name>.size.min": `2`,
	"pools.<name>.size.max": `40`,
}

func TestTheExampleSetsEveryOptionAndParses(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(exampleFile, data)
	if err != nil {
		t.Fatal(err)
	}
	var changed []string
	for _, c := range Diff(Default(), got) {
		changed = append(changed, c.Path)
	}
	want := []string{
		"listen", "http", "auth.users_file", "admin_users", "stats_users", "lanes.rules", "calendars",
		`budgets."db.example:5432"`, "pools.*",
		"pools.app",
	}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("other than the default are (-want +got):\n%s", diff)
	}
	for _, r := range globalRows {
		keys := strings.Split(r.Path, ".")
		if !strings.Contains(string(data), keys[len(keys)-1]+":") {
			t.Errorf("%s is missing", r.Path)
		}
	}
}

const docsIntro = `# Configuration

<!-- Do not edit: made from rows by go test ./internal/config -run TestDocs -rewrite -->

usher reads one YAML file:

    usher serve --config usher.yaml
    usher check-config usher.yaml

The smallest one that works:

` + "```yaml" + `
listen: ["127.0.0.1:6432"]
auth: {type: trust}
pools:
  app:
    url: postgres://postgres@127.0.0.1:5432/app
` + "```" + `

[examples/usher.yaml](../examples/usher.yaml) has every option with its default. A key that does not exist,
a value of the wrong type or values that cannot go together are errors; all of them are shown at once.

- **Durations** need a unit: ` + "`10ms`, `30s`, `5m`, `1h30m`, `2d`. `0`" + ` is never, if that is possible.
- **Sizes** are powers of 1024: ` + "`64kB`, `16MB`, `1GB`" + `.
- **Reload**: ` + "`RELOAD`" + ` in the console or SIGHUP reads the file again. When it has an error the
  old one stays in force. Options marked *restart* keep their value until usher is started again; the log
  names those that changed. A reload moves clients and drops none.
- **SET**: ` + "`SET key = 'value'`" + ` in the console changes one option until the next reload. Keys are the
  paths below, or PgBouncer's names with PgBouncer's units.
- **Pools** take what they do not set from ` + "`pool_defaults`. The name `\"*\"`" + ` is the pool of every
  database that has none of its own.
- **Passwords** are masked wherever usher shows its configuration.
`

// chapters are the headings of the documentation, each with the paths it collects.
var chapters = []struct {
	title, intro string
	prefixes     []string
}{
	{"The process", "", []string{"listen", "unix_socket_mode", "http", "keda", "loops", "io_uring"}},
	{"Clients", "", []string{"auth.", "tls.", "ignore_startup_parameters", "limits.", "timeouts."}},
	{"Lanes", "", []string{"lanes."}},
	{"What is coming", "", []string{"timezone", "history.", "calendars", "rush_hours", "tuning"}},
	{"Operation", "", []string{"admin_users", "stats_users", "log."}},
	{"Pools: where they lead", "", []string{"pools.<name>.url", "pools.<name>.user", "pools.<name>.password"}},
	{"Pools: what can have a default", "Below `pool_defaults` for all pools, below a pool for that one.",
		[]string{defaultsPath + "."}},
	{"Database servers", "", []string{budgetsPath}},
}

func renderDocs() string {
	var b strings.Builder
	b.WriteString(docsIntro)
	for _, c := range chapters {
		fmt.Fprintf(&b, "\n## %s\n", c.title)
		if c.intro != "" {
			fmt.Fprintf(&b, "\n%s\n", c.intro)
		}
		for _, o := range Options() {
			if slices.ContainsFunc(c.prefixes, func(p string) bool { return strings.HasPrefix(o.Path, p) }) {
				renderOption(&b, o)
			}
		}
	}
	return b.String()
}

func renderOption(b *strings.Builder, o Option) {
	path := strings.TrimPrefix(strings.TrimPrefix(o.Path, defaultsPath+"."), anyPool+".")
	facts := []string{strings.TrimSpace(o.Type + " " + o.Unit)}
	switch {
	case o.Default == "":
		facts = append(facts, "no default")
	default:
		facts = append(facts, "default `"+o.Default+"`")
	}
	if !o.Reloadable {
		facts = append(facts, "*restart*")
	}
	if o.PgBouncer != "" {
		facts = append(facts, "PgBouncer: `"+strings.ReplaceAll(o.PgBouncer, ", ", "`, `")+"`")
	}
	fmt.Fprintf(b, "\n### `%s`\n\n%s\n\n%s\n", path, strings.Join(facts, " · "), wrap(o.Doc, 118, ""))
}

const exampleIntro = `# Every option of usher, with its default or an example. A file of your own needs auth,
# pools, and what differs from the defaults. docs/config.md explains more; both come from the same rows.
`

// renderExample writes the options in the order of the rows as nested sections.
func renderExample() string {
	var b strings.Builder
	b.WriteString(exampleIntro)
	section := ""
	for _, o := range Options() {
		if strings.HasPrefix(o.Path, poolsPath+".") || o.Path == budgetOption.Path {
			continue
		}
		renderExampleOption(&b, o, &section)
	}
	fmt.Fprintf(&b, "\n%s\n%s:\n  \"db.example:5432\": %s\n", wrap(budgetOption.Doc, 106, "# "), budgetsPath,
		exampleValues[budgetOption.Path])
	b.WriteString("\npools:\n  # The name is the database clients ask for.\n  app:\n")
	for _, o := range Options() {
		if value, ok := exampleValues[o.Path]; ok && strings.HasPrefix(o.Path, anyPool+".") {
			if strings.Contains(o.Path, ".size.min") {
				b.WriteString("    # Every option of pool_defaults is possible here too.\n    size:\n")
			}
			indent := strings.Repeat("  ", strings.Count(o.Path, "."))
			key := o.Path[strings.LastIndexByte(o.Path, '.')+1:]
			fmt.Fprintf(&b, "%s%s: %s\n", indent, key, value)
		}
	}
	b.WriteString("  # This one serves every other database, with the client's own user.\n")
	b.WriteString("  \"*\":\n    url: postgres://db.example:5432\n")
	return b.String()
}

// renderExampleOption writes one option and the headers of the sections that begin with it.
func renderExampleOption(b *strings.Builder, o Option, section *string) {
	keys := strings.Split(o.Path, ".")
	open := strings.Split(*section, ".")
	b.WriteString("\n")
	for depth, key := range keys[:len(keys)-1] {
		if depth >= len(open) || strings.Join(keys[:depth+1], ".") != strings.Join(open[:depth+1], ".") {
			fmt.Fprintf(b, "%s%s:\n", strings.Repeat("  ", depth), key)
		}
	}
	*section = strings.Join(keys[:len(keys)-1], ".")
	indent := strings.Repeat("  ", len(keys)-1)
	value, ok := exampleValues[o.Path]
	if !ok {
		value = yamlText(o)
	}
	fmt.Fprintf(b, "%s\n%s%s: %s\n", wrap(o.Doc, 106, indent+"# "), indent, keys[len(keys)-1], value)
}

// yamlText quotes a default that YAML would not read as a text.
func yamlText(o Option) string {
	if o.Type == "text" || o.Type == "path" || o.Default == "" {
		return strconv.Quote(o.Default)
	}
	return o.Default
}

// wrap breaks a paragraph into lines of at most width, each with a prefix.
func wrap(text string, width int, prefix string) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(prefix)+len(line)+1+len(word) > width {
			lines, line = append(lines, prefix+line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return strings.Join(append(lines, prefix+line), "\n")
}
