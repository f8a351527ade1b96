package source

import (
	"regexp"
	"strings"
)

// Mask is what a secret looks like in every output.
const Mask = "***"

// Errors quote the file, and the file may be broken in any way: the password is wherever it happens to stand,
// not where a parser found it. So masking works on the text, and prefers to hide too much.

// secretKey is a key whose value is secret, as a YAML key or as a parameter of a URL.
var secretKey = regexp.MustCompile(`(?i)(pass\w*|pwd|secret\w*|\w*token)["']?\s*[:=]\s*`)

// userinfo is the part of a URL that can hold a password: user:password@, up to the last @ of the line.
var userinfo = regexp.MustCompile(`://([^:@\s]*):\S.*@`)

// looseUserinfo is a URL that lost its @, in which what looks like a port may be a password.
var looseUserinfo = regexp.MustCompile(`://([^:@\s/\[]*):([^@\s]*)`)

// webPath is what comes after the host of a web page's address, however misspelt: calendar services put the key of a
// feed there. barePath is the same of an address that has lost its scheme.
var (
	webPath  = regexp.MustCompile(`(?i)((?:https?|webcals?):(?://[^/"'?#,]*|/?[^\s/"'?#,]+))[/?#].*?(["']|,\s|$)`)
	barePath = regexp.MustCompile(`(?i)(\burl["']?\s*:\s*["']?(?://)?[^\s"':/?#]*)[/?#].*?(["']|,\s|$)`)
)

// realPort is what may follow host: when it is a host.
var realPort = regexp.MustCompile(`^[0-9]{1,5}([/?"',}\]]|$)`)

// Redact masks the secrets of one line.
func Redact(line string) string {
	line = userinfo.ReplaceAllString(line, "://$1:"+Mask+"@")
	line = looseUserinfo.ReplaceAllStringFunc(line, func(m string) string {
		parts := looseUserinfo.FindStringSubmatch(m)
		if realPort.MatchString(parts[2]) || strings.HasPrefix(parts[2], Mask) {
			return m
		}
		return "://" + parts[1] + ":" + Mask
	})
	line = webPath.ReplaceAllString(line, "$1/"+Mask+"$2")
	line = barePath.ReplaceAllString(line, "$1/"+Mask+"$2")
	if at := secretKey.FindStringIndex(line); at != nil && strings.TrimSpace(line[at[1]:]) != "" {
		line = line[:at[1]] + Mask
	}
	return line
}

// redactLine masks the secrets of a line of a file. A value may go on over several lines.
func redactLine(lines []string, i int) string {
	begin := i
	for begin > 0 && !strings.Contains(lines[begin], ":") && i-begin < 100 {
		begin--
	}
	if begin != i && continues(lines[begin], lines[i]) {
		return Mask
	}
	if parent := parentLine(lines, i); parent >= 0 && holdsSecret(lines[parent]) {
		return Mask
	}
	return Redact(lines[i])
}

// parentLine returns the nearest line above that is indented less, or -1.
func parentLine(lines []string, i int) int {
	for p := i - 1; p >= 0; p-- {
		if strings.TrimSpace(lines[p]) != "" && indent(lines[p]) < indent(lines[i]) {
			return p
		}
	}
	return -1
}

// continues reports whether line may go on with a secret that the line key began.
func continues(key, line string) bool {
	at := secretKey.FindStringIndex(key)
	if at == nil {
		return strings.Contains(key, "://") && !strings.Contains(key, "@") && indent(line) > indent(key)
	}
	begun := strings.TrimSpace(key[at[1]:])
	return indent(line) > indent(key) || begun == "" || strings.ContainsAny(begun[:1], `"'`)
}

func holdsSecret(line string) bool { return secretKey.MatchString(line) }

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }
