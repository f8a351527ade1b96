package session

import "slices"

// maxNames bounds how many custom settings a probe asks for, besides those which the client's set contains.
const maxNames = 64

// nameList is a list of custom settings that PostgreSQL does not list by itself. A nil list takes nothing.
type nameList struct {
	names    []string
	overflow bool
}

// add adds a canonical name, unless it is there or PostgreSQL lists it.
func (n *nameList) add(name string) {
	if n == nil || !isCustom(name) || slices.Contains(n.names, name) {
		return
	}
	if len(n.names) == maxNames {
		n.overflow = true
		return
	}
	n.names = append(n.names, name)
}

// collectName adds a name as it is written, if it is one.
func (n *nameList) collectName(name []byte) {
	if n == nil {
		return
	}
	if canonical, ok := canonicalName(name); ok {
		n.add(canonical)
	}
}

// collect adds the custom settings which a text sets and names.
func (n *nameList) collect(sql []byte) {
	r := reader{lexer: lexer{sql: sql}, names: n}
	r.all()
}
