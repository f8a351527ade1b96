package source

import (
	"fmt"
	"strings"
	"testing"
)

// dump writes a tree on one line, with the place of every node.
func dump(n *Node) string {
	if n == nil {
		return "-"
	}
	place := fmt.Sprintf("@%d:%d", n.Line, n.Column)
	var parts []string
	switch n.Kind {
	case Map:
		for _, e := range n.Entries {
			merged := ""
			if e.Merged {
				merged = "<"
			}
			parts = append(parts, merged+dump(e.Key)+"="+dump(e.Value))
		}
		return "{" + strings.Join(parts, " ") + "}" + place
	case List:
		for _, item := range n.Items {
			parts = append(parts, dump(item))
		}
		return "[" + strings.Join(parts, " ") + "]" + place
	case Null:
		return "null" + place
	}
	text := n.Text
	if n.Quoted {
		text = fmt.Sprintf("%q", text)
	}
	if n.Boolean {
		text = "bool " + text
	}
	return text + place
}

func TestATreeKnowsItsPlaces(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, want string }{
		{"nothing", "", "-"},
		{"a comment", "# only this", "-"},
		{"a scalar", "a", "a@1:1"},
		{"a map", "a: 1\nb: two\n", "{a@1:1=1@1:4 b@2:1=two@2:4}@1:1"},
		{"a map in a map", "a:\n  b: 1\n", "{a@1:1={b@2:3=1@2:6}@2:3}@1:1"},
		{"a flow map", "a: {b: 1, c: [x, y]}", "{a@1:1={b@1:5=1@1:8 c@1:11=[x@1:15 y@1:18]@1:14}@1:5}@1:1"},
		{"a list", "a:\n- x\n- y\n", "{a@1:1=[x@2:3 y@3:3]@2:1}@1:1"},
		{"quotes", `a: "1"` + "\nb: '2'\n", `{a@1:1="1"@1:4 b@2:1="2"@2:4}@1:1`},
		{"a block", "a: |\n  x\n  y\n", `{a@1:1="x\ny\n"@1:4}@1:1`},
		{"truth", "a: true\nb: yes\n", "{a@1:1=bool true@1:4 b@2:1=yes@2:4}@1:1"},
		{"numbers are text", "a: 007\nb: 1.50\nc: 0x10\n", "{a@1:1=007@1:4 b@2:1=1.50@2:4 c@3:1=0x10@3:4}@1:1"},
		{"an alias", "a: &x 1\nb: *x\n", "{a@1:1=1@1:7 b@2:1=1@1:7}@1:1"},
		{"a merge", "a: &x {k: 1}\nb: {<<: *x, k: 2}\n",
			"{a@1:1={k@1:8=1@1:11}@1:8 b@2:1={<k@1:8=1@1:11 k@2:13=2@2:16}@2:5}@1:1"},
		{"one document with a header", "---\na: 1\n", "{a@2:1=1@2:4}@2:1"},
	}
	for _, test := range tests {
		root, report := Parse("test.yaml", []byte(test.file))
		if err := report.Err(); err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := dump(root); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

func TestAReportNamesFileLineAndColumn(t *testing.T) {
	t.Parallel()
	r := NewReport("test.yaml", []byte("a: 1\nb: "+strings.Repeat("x", 200)+"y\n"))
	if err := r.Err(); err != nil {
		t.Errorf("an empty report: got %v", err)
	}
	r.At(&Node{Line: 2, Column: 204, Width: 1}, "b", "is long", "a short one")
	r.At(nil, "", "has no place", "")
	r.At(&Node{Line: 1, Column: 99, Width: 99}, "a", "is outside", "")
	want := `test.yaml: has no place
test.yaml:1:99: a: is outside
     1 | a: 1
       |     ^
test.yaml:2:204: b: is long
     2 | ` + strings.Repeat("x", 50) + `y
       | ` + strings.Repeat(" ", 50) + `^
       = expected a short one`
	if got := r.Err().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
