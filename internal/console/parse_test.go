package console

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/usher-pg/usher/internal/pgerr"
)

func verb(name string) statement { return statement{verb: name} }

func with(name, argument string) statement {
	return statement{verb: name, argument: argument, hasArgument: true}
}

func set(key, value string) statement {
	return statement{verb: "SET", argument: key, hasArgument: true, value: value}
}

func TestParseReadsWhatPgBouncerReads(t *testing.T) {
	t.Parallel()
	tests := map[string][]statement{
		"show pools":                       {with("SHOW", "pools")},
		"  \t\n SHOW\tPOOLS \r\n ; ":       {with("SHOW", "POOLS")},
		"select clients;":                  {with("SELECT", "clients")},
		"pause":                            {verb("PAUSE")},
		"PAUSE MyDb":                       {with("PAUSE", "MyDb")},
		`pause "My ""quoted"" db"`:         {with("PAUSE", `My "quoted" db`)},
		`"pause" "db"`:                     {with("PAUSE", "db")},
		"set query_timeout = 5":            {set("query_timeout", "5")},
		"SET query_timeout TO 5;":          {set("query_timeout", "5")},
		"set query_timeout='5'":            {set("query_timeout", "5")},
		"set a = 'it''s'":                  {set("a", "it's")},
		"set a = ''":                       {set("a", "")},
		`set a to "b c"`:                   {set("a", "b c")},
		"SET client_encoding TO 'UTF8'":    {set("client_encoding", "UTF8")},
		"kill_client 123":                  {with("KILL_CLIENT", "123")},
		"SHUTDOWN WAIT_FOR_CLIENTS":        {with("SHUTDOWN", "WAIT_FOR_CLIENTS")},
		"pause ünïcode":                    {with("PAUSE", "ünïcode")},
		"set log_connections=0":            {set("log_connections", "0")},
		"set server_idle_timeout  =  600;": {set("server_idle_timeout", "600")},
	}
	checkParse(t, tests)
}

func TestParseIsMoreGenerousThanPgBouncer(t *testing.T) {
	t.Parallel()
	checkParse(t, map[string][]statement{
		"":                                   nil,
		" ; ;; ":                             nil,
		"-- ping":                            nil,
		"/* a /* nested */ one */":           nil,
		"show /* what */ pools -- and why":   {with("SHOW", "pools")},
		"pause my-shop.v2":                   {with("PAUSE", "my-shop.v2")},
		"pause a--b":                         {with("PAUSE", "a")},
		"pause a; reload; resume a":          {with("PAUSE", "a"), verb("RELOAD"), with("RESUME", "a")},
		"pause \"a;b\"; show pools;":         {with("PAUSE", "a;b"), with("SHOW", "pools")},
		"set query_timeout = 1.5":            {set("query_timeout", "1.5")},
		"set a = ';'; show state":            {set("a", ";"), with("SHOW", "state")},
		"set timezone = +02":                 {set("timezone", "+02")},
		"set \"a b\" = c":                    {set("a b", "c")},
		"show pools;-- and a comment\n;;\n ": {with("SHOW", "pools")},
	})
}

func checkParse(t *testing.T, tests map[string][]statement) {
	t.Helper()
	for query, want := range tests {
		got, err := parse(query)
		if err != nil {
			t.Errorf("parse(%q): %v", query, err)
			continue
		}
		equal := cmp.Diff(want, got, cmp.AllowUnexported(statement{}, token{}), cmpopts.IgnoreFields(statement{}, "text"))
		if equal != "" {
			t.Errorf("parse(%q) (-want +got):\n%s", query, equal)
		}
	}
}

func TestParseRefusesEverythingElse(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxWordLen+1)
	tests := map[string]string{
		"select * from pg_class where oid = 1": "invalid command 'select * from pg_class where oid = 1', use SHOW HELP;",
		"show pools clients":                   "invalid command 'show pools clients', use SHOW HELP;",
		"pause 'db'":                           "invalid command 'pause 'db'', use SHOW HELP;",
		"set a":                                "invalid command 'set a', use SHOW HELP;",
		"set a b":                              "invalid command 'set a b', use SHOW HELP;",
		"set a = ":                             "invalid command 'set a =', use SHOW HELP;",
		"set a = = b":                          "invalid command 'set a = = b', use SHOW HELP;",
		"set a \"to\" b":                       "invalid command 'set a \"to\" b', use SHOW HELP;",
		"'show' pools":                         "invalid command ''show' pools', use SHOW HELP;",
		"= show":                               "invalid command '= show', use SHOW HELP;",
		"pause \"db":                           "invalid command 'pause \"db', use SHOW HELP;",
		"set a = 'b":                           "invalid command 'set a = 'b', use SHOW HELP;",
		"show pools /* never ends":             "invalid command 'show pools /* never ends', use SHOW HELP;",
		"show \x01pools":                       "invalid command 'show \x01pools', use SHOW HELP;",
		`pause ""`:                             "bad arguments",
		"pause " + long:                        "bad arguments",
		long:                                   "bad arguments",
		"set a = '" + strings.Repeat("v", maxValueLen+1) + "'": "bad arguments",
		strings.Repeat("reload;", maxStatements+1):             "bad arguments",
		strings.Repeat(" ", maxQueryLen+1):                     "bad arguments",
	}
	for query, want := range tests {
		_, err := parse(query)
		refused, ok := errors.AsType[*pgerr.Error](err)
		if !ok {
			t.Errorf("parse(%.40q) = %v, want a refusal", query, err)
			continue
		}
		if refused.Message != want || refused.Row.Code != "42601" {
			t.Errorf("parse(%.40q) = %s %q, want 42601 %q", query, refused.Row.Code, refused.Message, want)
		}
	}
}

func TestAnErrorRepeatsOnlyPartOfALongQueryAndNoInvalidBytes(t *testing.T) {
	t.Parallel()
	_, err := parse("show '" + strings.Repeat("a\xff", maxEcho) + "'")
	if err == nil || len(err.Error()) > 2*maxEcho+100 || !utf8.ValidString(err.Error()) {
		t.Errorf("error is %q", err)
	}
}

func TestFindKnowsOnlyCommands(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // query: name of the command, "" for none
		"show pools":           "SHOW POOLS",
		"select POOLS":         "SHOW POOLS",
		"show client_encoding": "SHOW CLIENT_ENCODING",
		"set TimeZone to utc":  "SET",
		"set pool_size to 3":   "SET",
		"show":                 "",
		"select 1":             "",
		"show pause":           "",
		"frobnicate":           "",
		`"show pools"`:         "",
		`"set timezone"`:       "",
		"pools":                "",
	}
	for query, want := range tests {
		statements, err := parse(query)
		if err != nil {
			t.Errorf("parse(%q): %v", query, err)
			continue
		}
		c, err := find(statements[0])
		switch {
		case want == "" && err == nil:
			t.Errorf("find(%q) = %s, want an error", query, c.name)
		case want != "" && (err != nil || c.name != want):
			t.Errorf("find(%q) = %v, %v, want %s", query, c, err, want)
		}
	}
}

func quote(s, q string) string { return q + strings.ReplaceAll(s, q, q+q) + q }

// written is a token as a query has it.
func written(t token) string {
	switch {
	case t.kind == equals:
		return "="
	case t.kind == text:
		return quote(t.text, "'")
	case t.quoted:
		return quote(t.text, `"`)
	}
	return t.text
}

// FuzzParse checks that hostile text never panics, that what is accepted stays within the limits, and that it means the
// same when it is written down again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"show pools", "pause \"a b\"", "set a = 'b''c'; reload", "/* x */ -- y", "set \"\" = \"",
		"kill_client 18446744073709551616",
		"show /*/**/*/ pools;;",
		"emergency on \"for\" for 5m lane low reason 'a''b'", "emergency off =",
		"pause a--b\n; x", "\x00", "set k to 'v' ; shutdown wait_for_clients",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		statements, err := parse(query)
		if err != nil {
			if _, ok := errors.AsType[*pgerr.Error](err); !ok {
				t.Fatalf("parse(%q): %v is not a client error", query, err)
			}
			return
		}
		var again strings.Builder
		for _, s := range statements {
			if len(s.verb) > maxWordLen || len(s.argument) > maxWordLen || len(s.value) > maxValueLen {
				t.Fatalf("parse(%q) is over the limits", query)
			}
			again.WriteString(quote(s.verb, `"`))
			if s.hasArgument {
				again.WriteString(" " + quote(s.argument, `"`))
			}
			if s.verb == "SET" {
				again.WriteString(" = " + quote(s.value, "'"))
			}
			for _, more := range s.more {
				again.WriteString(" " + written(more))
			}
			again.WriteString("; ")
			if c, err := find(s); err == nil {
				_ = c.checkArgument(s)
				_ = c.tag(s)
			}
		}
		if again.Len() > maxQueryLen {
			return
		}
		back, err := parse(again.String())
		if err != nil {
			t.Fatalf("parse(%q) of the rewritten %q: %v", again.String(), query, err)
		}
		equal := cmp.Diff(statements, back, cmp.AllowUnexported(statement{}, token{}),
			cmpopts.IgnoreFields(statement{}, "text"))
		if equal != "" {
			t.Fatalf("%q changed when rewritten (-before +after):\n%s", query, equal)
		}
	})
}
