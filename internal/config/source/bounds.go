package source

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// A configuration file is bounded before and after the YAML library's scanner: the library recurses, and some
// of its steps take the square of what they read (escapes in a text, keys of one map) or worse (empty lines
// in a text). With these bounds the worst file takes seconds; without them, minutes and the stack.
const (
	// MaxFileSize bounds a configuration file. More than a thousand pools fit.
	MaxFileSize = 256 << 10

	maxTokens     = 40_000
	maxLine       = 4096
	maxLines      = 20_000
	maxEmptyLines = 100 // one after the other
	maxEscapes    = 1000

	// maxDepth bounds nesting; the deepest option is four keys deep.
	maxDepth = 32

	// maxMarks bounds anchors and explicit keys, which can nest without brackets and indentation.
	maxMarks = 1000

	// maxNodes bounds the tree after aliases are expanded, so that a few lines of aliases of aliases cannot grow
	// into gigabytes.
	maxNodes = 100_000
)

// normalize drops what editors add and YAML allows: a byte order mark, and carriage returns at the ends of
// lines.
func normalize(data []byte) []byte {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
}

// checkSource says what is wrong with the bytes of a file, or nothing.
func checkSource(data []byte) string {
	switch {
	case len(data) > MaxFileSize:
		return fmt.Sprintf("is larger than %dkB", MaxFileSize>>10)
	case !utf8.Valid(data) || bytes.ContainsAny(data, "\x00\r"):
		return "is not text in UTF-8"
	case bytes.Count(data, []byte{'\n'}) > maxLines:
		return fmt.Sprintf("has more than %d lines", maxLines)
	case bytes.Count(data, []byte{'\\'}) > maxEscapes:
		return fmt.Sprintf("has more than %d backslashes", maxEscapes)
	}
	empty := 0
	for line := range bytes.Lines(data) {
		if len(line) > maxLine {
			return fmt.Sprintf("has a line of more than %d bytes", maxLine)
		}
		if empty++; len(bytes.TrimSpace(line)) > 0 {
			empty = 0
		}
		if empty > maxEmptyLines {
			return fmt.Sprintf("has more than %d empty lines in a row", maxEmptyLines)
		}
	}
	return ""
}

// checkTokens refuses what would lead the parser, which recurses, too deep.
func checkTokens(tokens token.Tokens) (*token.Token, string) {
	depth, marks := 0, 0
	for i, t := range tokens {
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth--
		case token.TagType, token.DirectiveType:
			return t, "tags and directives are not used in this file"
		case token.AnchorType, token.MappingKeyType:
			marks++
		case token.SequenceEntryType:
			// Lists in lists on one line nest by their column.
			if t.Position.Column > 4*maxDepth {
				return t, "is nested too deeply"
			}
		}
		switch {
		case depth > maxDepth || marks > maxMarks:
			return t, "is nested too deeply"
		case i >= maxTokens:
			return t, "is too much for one file"
		}
	}
	return nil, ""
}
