package pgerr

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/wire"
)

var rewrite = flag.Bool("rewrite", false, "write docs/errors.md instead of comparing with it")

// sqlstate is the form of a code; classes are those of PostgreSQL's appendix that usher has a use for.
// Success (00), warnings (01) and "no data" (02) are no errors, and drivers do not take them for such.
var (
	sqlstate = regexp.MustCompile(`^[0-9A-Z]{5}$`)
	classes  = map[string]string{
		"08": "connection exception", "0A": "feature not supported", "22": "data exception",
		"25": "invalid transaction state", "26": "invalid SQL statement name",
		"28": "invalid authorization specification", "3D": "invalid catalog name",
		"42": "syntax error or access rule violation", "53": "insufficient resources",
		"55": "object not in prerequisite state", "57": "operator intervention",
	}
	// verb is what a message has filled in.
	verb = regexp.MustCompile(`%.`)
)

func TestEveryRowIsFitForAClient(t *testing.T) {
	t.Parallel()
	if len(Table()) == 0 {
		t.Fatal("the table is empty")
	}
	seen := map[string]bool{}
	for _, r := range Table() {
		fail := func(format string, args ...any) {
			t.Helper()
			t.Errorf("%s %q: %s", r.Code, r.Message, fmt.Sprintf(format, args...))
		}
		if !sqlstate.MatchString(r.Code) || classes[r.Code[:2]] == "" {
			fail("no SQLSTATE of an error")
		}
		if r.Severity != SeverityError && r.Severity != SeverityFatal {
			fail("severity %q", r.Severity)
		}
		if r.Level < slog.LevelDebug || r.Level > slog.LevelError {
			fail("log level %v", r.Level)
		}
		if r.Message == "" || strings.HasSuffix(r.Message, ".") || strings.TrimSpace(r.Message) != r.Message {
			fail("a primary message is a phrase without a full stop")
		}
		if verbs := verb.FindAllString(r.Message, -1); len(verbs) > 1 ||
			len(verbs) == 1 && verbs[0] != "%s" && verbs[0] != "%q" {
			fail("may have one %%s or %%q, has %v", verbs)
		}
		if r.Hint != "" && (!strings.HasSuffix(r.Hint, ".") || strings.Contains(r.Hint, "%")) {
			fail("a hint is a sentence with a full stop and nothing to fill in: %q", r.Hint)
		}
		for _, text := range []string{r.Message, r.Hint} {
			if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '|' }) {
				fail("has a character that does not belong into a line or a table: %q", text)
			}
		}
		key := string(r.Severity) + " " + r.Message
		if r.Message == "%s" {
			key += r.Code // the text is the caller's
		}
		if seen[key] {
			fail("stands in the table twice: nobody can tell which it was")
		}
		seen[key] = true
	}
}

// fields reads an ErrorResponse back.
func fields(t *testing.T, message []byte) map[wire.ErrorField]string {
	t.Helper()
	kind, length, ok := wire.Header(message)
	if !ok || kind != wire.ErrorResponse || length != len(message) || message[length-1] != 0 {
		t.Fatalf("no ErrorResponse: %q", message)
	}
	found := map[wire.ErrorField]string{}
	for _, part := range strings.Split(strings.TrimRight(string(message[wire.HeaderLen:]), "\x00"), "\x00") {
		found[wire.ErrorField(part[0])] = part[1:]
	}
	return found
}

func TestEveryRowReachesTheClientAsItStands(t *testing.T) {
	t.Parallel()
	for _, r := range Table() {
		e, want := r.With(), r.Message
		if verb.MatchString(r.Message) {
			e = r.With("a value")
			want = fmt.Sprintf(r.Message, "a value")
		}
		expected := map[wire.ErrorField]string{
			wire.FieldSeverity: string(r.Severity), wire.FieldSeverityPlain: string(r.Severity),
			wire.FieldCode: r.Code, wire.FieldMessage: want,
		}
		if r.Hint != "" {
			expected[wire.FieldHint] = r.Hint
		}
		if diff := cmp.Diff(expected, fields(t, e.Append(nil))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want, diff)
		}
	}
}

func TestParticularsBelongToOneErrorOnly(t *testing.T) {
	t.Parallel()
	row := NoSuchDatabase
	hint := row.Hint
	e := row.With("shop").WithDetail("asked by %s", "bob").WithHint("Ask for %q.", "store")
	want := map[wire.ErrorField]string{
		wire.FieldSeverity: "FATAL", wire.FieldSeverityPlain: "FATAL", wire.FieldCode: "3D000",
		wire.FieldMessage: `database "shop" does not exist`, wire.FieldDetail: "asked by bob",
		wire.FieldHint: `Ask for "store".`,
	}
	if diff := cmp.Diff(want, fields(t, e.Append(nil))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if row.Hint != hint || row.With("x").Detail != "" {
		t.Error("the row was changed")
	}
	if got := e.Append([]byte("before")); string(got) != "before"+string(e.Append(nil)) {
		t.Errorf("not appended: %q", got)
	}
}

func TestTheCauseIsForTheLogOnly(t *testing.T) {
	t.Parallel()
	cause := errors.New("dial tcp 10.0.0.7:5432: secret password refused")
	var err error = ServerDown.With().Because(cause)
	if !errors.Is(err, cause) {
		t.Error("the cause is not found by errors.Is")
	}
	if want := ServerDown.Message + ": " + cause.Error(); err.Error() != want {
		t.Errorf("the log reads %q, expected %q", err, want)
	}
	e, ok := errors.AsType[*Error](fmt.Errorf("seat the client: %w", err))
	if !ok || e.Row != ServerDown {
		t.Fatalf("the row is not found below other errors: %v", e)
	}
	message := string(e.Append(nil))
	if strings.Contains(message, "secret") || strings.Contains(message, "10.0.0.7") {
		t.Errorf("the cause is sent: %q", message)
	}
	if got := ServerDown.With().Error(); got != ServerDown.Message {
		t.Errorf("without a cause the log reads %q", got)
	}
}

// TestHostileTextsStayInTheirField holds that what a client chose, such as a user's name, ends no field
// early: a zero byte in it would let it write the fields behind it.
func TestHostileTextsStayInTheirField(t *testing.T) {
	t.Parallel()
	e := WrongPassword.With("a\x00Hrun this\x00").WithDetail("%s", "%d")
	got := fields(t, e.Append(nil))
	if got[wire.FieldHint] != "" || got[wire.FieldDetail] != "%d" {
		t.Errorf("fields were made by a user's name: %q", got)
	}
	if e := ProtocolViolation.With("100% sure"); e.Message != "100% sure" {
		t.Errorf("an argument is taken for a format: %q", e.Message)
	}
}

const docsFile = "../../docs/errors.md"

// TestDocs holds docs/errors.md against the table.
func TestDocs(t *testing.T) {
	want := renderDocs()
	if *rewrite {
		if err := os.WriteFile(docsFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is not what the table says; run go test ./internal/pgerr -rewrite:\n%s", docsFile, diff)
	}
}

const docsIntro = `# Errors

<!-- Do not edit: made from the table in internal/pgerr by go test ./internal/pgerr -rewrite -->

Every error that usher itself sends to a client. A server's own errors pass through as they are; they have a
file, a line and a routine, which these have not. A driver decides by the SQLSTATE, so each is the one
PostgreSQL would send in that place.

- **ERROR** ends the request. The connection stays, and the next request may succeed.
- **FATAL** ends the connection.

Words in angle brackets are filled in. The log line of an error says more than the client is told: the cause,
which may name hosts and users.

| SQLSTATE | severity | message | hint |
|---|---|---|---|
`

func renderDocs() string {
	var b strings.Builder
	b.WriteString(docsIntro)
	for _, r := range Table() {
		message := strings.NewReplacer("%q", `"<name>"`, "%s", "<what>").Replace(r.Message)
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s |\n", r.Code, r.Severity, message, r.Hint)
	}
	return b.String()
}
