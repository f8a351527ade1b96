package source

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Kind is what a piece of the file is.
type Kind uint8

// The kinds of nodes.
const (
	Scalar Kind = iota
	List
	Map
	Null
)

// String completes "is …" in an error.
func (k Kind) String() string {
	return [...]string{"a single value", "a list", "a section with keys", "nothing"}[k]
}

// A Node is a piece of the file with its place.
type Node struct {
	Kind    Kind
	Text    string // of a scalar, as written
	Quoted  bool
	Boolean bool // a scalar YAML takes for a truth value

	Line, Column, Width int // Line is 0 when there is no place

	Items   []*Node // of a list
	Entries []Entry // of a map, in order, merged ones first
}

// An Entry is a key of a map with its value.
type Entry struct {
	Key    *Node
	Value  *Node
	Merged bool // came by <<, so a key of the map itself replaces it
}

// Parse reads a file, which must be one document. The tree is nil when the document is empty or when errors
// were reported.
func Parse(name string, data []byte) (*Node, *Report) {
	data = normalize(data)
	report := NewReport(name, data)
	if message := checkSource(data); message != "" {
		report.whole(message)
		return nil, report
	}
	tokens := lexer.Tokenize(string(data))
	if at, message := checkTokens(tokens); message != "" {
		report.At(placeOf(at), "", message, "")
		return nil, report
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		report.syntax(err)
		return nil, report
	}
	b := treeBuilder{anchors: map[string]ast.Node{}, open: map[string]bool{}, report: report}
	root := b.document(file)
	if report.Len() > 0 {
		return nil, report
	}
	return root, report
}

// A treeBuilder turns the library's tree into ours.
type treeBuilder struct {
	anchors map[string]ast.Node
	open    map[string]bool // anchors being expanded, to find a cycle
	nodes   int
	report  *Report
}

func (b *treeBuilder) document(file *ast.File) *Node {
	var root *Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			b.report.At(placeOf(doc.Body.GetToken()), "", "a second document begins here", "one document")
			return nil
		}
		root = b.build(doc.Body, 0)
	}
	return root
}

func (b *treeBuilder) build(n ast.Node, depth int) *Node {
	b.nodes++
	if n == nil {
		return &Node{Kind: Null}
	}
	at := placeOf(n.GetToken())
	if depth > maxDepth || b.nodes > maxNodes {
		b.report.At(at, "", "is nested too deeply or repeated too often", "")
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
		at.Kind = List
		for _, v := range n.Values {
			at.Items = append(at.Items, b.build(v, depth+1))
		}
	case *ast.NullNode:
		at.Kind = Null
	case *ast.BoolNode:
		at.Boolean, at.Text = true, n.GetToken().Value
	case *ast.LiteralNode:
		at.Text, at.Quoted = n.Value.Value, true
	case *ast.StringNode:
		t := n.GetToken().Type
		at.Text, at.Quoted = n.Value, t == token.SingleQuoteType || t == token.DoubleQuoteType
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		at.Text = n.GetToken().Value
	default:
		b.report.At(at, "", "is a form of YAML that this file does not use", "")
	}
	return at
}

// alias expands an alias where it stands; what is wrong in it is reported at the alias's source.
func (b *treeBuilder) alias(n *ast.AliasNode, at *Node, depth int) *Node {
	name := nameOf(n.Value)
	target, ok := b.anchors[name]
	if !ok || b.open[name] {
		b.report.At(at, "", "there is no anchor of that name above", "")
		return at
	}
	b.open[name] = true
	defer delete(b.open, name)
	return b.build(target, depth+1)
}

func (b *treeBuilder) mapping(values []*ast.MappingValueNode, at *Node, depth int) *Node {
	at.Kind = Map
	if len(values) > 0 && values[0].Key != nil {
		*at = *placeOf(values[0].Key.GetToken())
		at.Kind = Map
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
		if key.Kind != Scalar {
			b.report.At(key, "", "is not a key", "a name")
			continue
		}
		if value.Line == 0 {
			value.Line, value.Column, value.Width = key.Line, key.Column, key.Width
		}
		at.Entries = append(at.Entries, Entry{Key: key, Value: value})
	}
	return at
}

func (b *treeBuilder) merge(into, from *Node) {
	switch from.Kind {
	case Map:
		b.nodes += len(from.Entries)
		merged := slices.Clone(from.Entries)
		for i := range merged {
			merged[i].Merged = true
		}
		into.Entries = append(merged, into.Entries...)
	case List:
		for _, item := range from.Items {
			b.merge(into, item)
		}
	default:
		b.report.At(from, "", "cannot be merged", "a section with keys")
	}
}

func nameOf(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}

// placeOf makes an empty node at a token.
func placeOf(t *token.Token) *Node {
	if t == nil || t.Position == nil {
		return &Node{}
	}
	width := utf8.RuneCountInString(strings.TrimSpace(t.Origin))
	if line, _, many := strings.Cut(strings.TrimSpace(t.Origin), "\n"); many {
		width = utf8.RuneCountInString(line)
	}
	return &Node{Line: t.Position.Line, Column: t.Position.Column, Width: width}
}
