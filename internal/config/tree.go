package config

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The YAML library reads the file into its own tree; this file turns that into a smaller one with only what a
// configuration needs, and bounds it. Decoding into structs is not left to the library, because it stops at
// the first error and cannot say which option it was about.

type nodeKind uint8

const (
	scalarNode nodeKind = iota
	listNode
	mapNode
	nullNode
)

func (k nodeKind) String() string {
	return [...]string{"a single value", "a list", "a section with keys", "nothing"}[k]
}

// A node is a piece of the file with its place.
type node struct {
	kind    nodeKind
	text    string // of a scalar, as written
	quoted  bool
	boolean bool

	line, column, width int

	items   []*node // of a list
	entries []entry // of a map, in order, merged ones first
}

type entry struct {
	key    *node
	value  *node
	merged bool // came by <<, so a key of the map itself replaces it
}

// A treeBuilder turns the library's tree into ours.
type treeBuilder struct {
	anchors map[string]ast.Node
	open    map[string]bool // anchors being expanded, to find a cycle
	nodes   int
	errs    *errorList
}

// parseTree reads the normal form of a file, its one document. The result is nil when the document is empty
// or errors were reported.
func parseTree(data []byte, errs *errorList) *node {
	if message := checkSource(data); message != "" {
		errs.plain("%s", message)
		return nil
	}
	tokens := lexer.Tokenize(string(data))
	if at, message := checkTokens(tokens); message != "" {
		errs.at(placeOf(at), "", message, "")
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		errs.syntax(err)
		return nil
	}
	var root *node
	b := treeBuilder{anchors: map[string]ast.Node{}, open: map[string]bool{}, errs: errs}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			errs.at(placeOf(doc.Body.GetToken()), "", "a second document begins here", "one document")
			return nil
		}
		root = b.build(doc.Body, 0)
	}
	return root
}

func (b *treeBuilder) build(n ast.Node, depth int) *node {
	b.nodes++
	if n == nil {
		return &node{kind: nullNode}
	}
	at := placeOf(n.GetToken())
	if depth > maxDepth || b.nodes > maxNodes {
		b.errs.at(at, "", "is nested too deeply or repeated too often", "")
		return at
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		b.anchors[nameOf(n.Name)] = n.Value
		return b.build(n.Value, depth)
	case *ast.AliasNode:
		return b.alias(n, at, depth)
	case *ast.MappingNode:
		return b.mapping(n.Values, at, depth)
	case *ast.MappingValueNode:
		return b.mapping([]*ast.MappingValueNode{n}, at, depth)
	case *ast.SequenceNode:
		at.kind = listNode
		for _, v := range n.Values {
			at.items = append(at.items, b.build(v, depth+1))
		}
	case *ast.NullNode:
		at.kind = nullNode
	case *ast.BoolNode:
		at.boolean, at.text = true, n.GetToken().Value
	case *ast.LiteralNode:
		at.text, at.quoted = n.Value.Value, true
	case *ast.StringNode:
		t := n.GetToken().Type
		at.text, at.quoted = n.Value, t == token.SingleQuoteType || t == token.DoubleQuoteType
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		at.text = n.GetToken().Value
	default:
		b.errs.at(at, "", "is a form of YAML that this file does not use", "")
	}
	return at
}

// alias expands an alias where it stands; what is wrong in it is reported at the alias's source.
func (b *treeBuilder) alias(n *ast.AliasNode, at *node, depth int) *node {
	name := nameOf(n.Value)
	target, ok := b.anchors[name]
	if !ok || b.open[name] {
		b.errs.at(at, "", "there is no anchor of that name above", "")
		return at
	}
	b.open[name] = true
	defer delete(b.open, name)
	return b.build(target, depth+1)
}

func (b *treeBuilder) mapping(values []*ast.MappingValueNode, at *node, depth int) *node {
	at.kind = mapNode
	if len(values) > 0 && values[0].Key != nil {
		*at = *placeOf(values[0].Key.GetToken())
		at.kind = mapNode
	}
	for _, v := range values {
		if v.Key == nil {
			continue
		}
		value := b.build(v.Value, depth+1)
		if v.Key.IsMergeKey() {
			b.merge(at, value)
			continue
		}
		key := b.build(v.Key, depth+1)
		if key.kind != scalarNode {
			b.errs.at(key, "", "is not a key", "a name")
			continue
		}
		if value.line == 0 {
			value.line, value.column, value.width = key.line, key.column, key.width
		}
		at.entries = append(at.entries, entry{key: key, value: value})
	}
	return at
}

func (b *treeBuilder) merge(into, from *node) {
	switch from.kind {
	case mapNode:
		for _, e := range from.entries {
			b.nodes++
			into.entries = append([]entry{{e.key, e.value, true}}, into.entries...)
		}
	case listNode:
		for _, item := range from.items {
			b.merge(into, item)
		}
	default:
		b.errs.at(from, "", "cannot be merged", "a section with keys")
	}
}

func nameOf(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}

// placeOf makes an empty node at a token.
func placeOf(t *token.Token) *node {
	if t == nil || t.Position == nil {
		return &node{}
	}
	width := utf8.RuneCountInString(strings.TrimSpace(t.Origin))
	if line, _, many := strings.Cut(strings.TrimSpace(t.Origin), "\n"); many {
		width = utf8.RuneCountInString(line)
	}
	return &node{line: t.Position.Line, column: t.Position.Column, width: width}
}

// An errorList collects what is wrong with one file.
type errorList struct {
	file  string
	lines []string
	errs  Errors
}

func newErrorList(file string, data []byte) *errorList {
	return &errorList{file: file, lines: strings.Split(string(data), "\n")}
}

// plain reports something about the file as a whole.
func (l *errorList) plain(format string, args ...any) {
	l.errs = append(l.errs, &Error{File: l.file, Message: errorf(format, args...).Error()})
}

// at reports something about a place in the file. n may be nil or have no place.
func (l *errorList) at(n *node, path, message, expected string) {
	e := &Error{File: l.file, Path: path, Message: message, Expected: expected}
	if n != nil && n.line > 0 {
		e.Line, e.Column, e.Width = n.line, max(n.column, 1), n.width
	}
	if e.Line > 0 && e.Line <= len(l.lines) {
		e.Source = printable(strings.TrimRight(redactLine(l.lines, e.Line-1), "\r "))
	}
	l.errs = append(l.errs, e)
}

// has reports whether the same was already reported about a place.
func (l *errorList) has(n *node, message string) bool {
	return slices.ContainsFunc(l.errs, func(e *Error) bool {
		return e.Line == n.line && e.Column == n.column && e.Message == message
	})
}

// syntax reports an error of the YAML library without its own excerpt, which would show secrets.
func (l *errorList) syntax(err error) {
	var y yaml.Error
	if !errors.As(err, &y) {
		l.plain("is not YAML that can be read")
		return
	}
	// The fallback pool's name is the mistake everybody makes once, and the library reports it a line late.
	if i := slices.IndexFunc(l.lines, isBareStar); i >= 0 {
		at := &node{line: i + 1, column: strings.IndexByte(l.lines[i], '*') + 1, width: 1}
		l.at(at, "", "a star alone begins an alias in YAML", `quotes around it: "*":`)
		return
	}
	l.at(placeOf(y.GetToken()), "", "is not correct YAML: "+printable(redact(y.GetMessage())), "")
}

func isBareStar(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "*:") }
