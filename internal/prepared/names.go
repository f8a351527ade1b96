package prepared

import "errors"

const (
	// MaxNames bounds the statements one client may have prepared. Drivers keep up to a few hundred;
	// Hibernate with a large cache, a few thousand.
	MaxNames = 10_000

	// MaxNameBytes bounds the names and texts of one client's statements, shared or not.
	MaxNameBytes = 64 << 20

	// nameOverhead is counted for each name besides its bytes: the entry in the map.
	nameOverhead = 64
)

// The reasons for which a name cannot be given.
var (
	ErrNameTaken    = errors.New("prepared statement already exists")
	ErrTooManyNames = errors.New("too many prepared statements of one client")
)

// Names are the prepared statements of one client, by the names it has given them. It holds a reference to
// each. The zero value has none, and all methods but Set may be called on nil. The unnamed statement has the
// name "".
type Names struct {
	named   map[string]*Statement
	unnamed *Statement
	bytes   int
}

// Get is the statement with a name, nil if there is none.
func (n *Names) Get(name []byte) *Statement {
	switch {
	case n == nil:
		return nil
	case len(name) == 0:
		return n.unnamed
	}
	return n.named[string(name)]
}

// Set gives a statement a name. The caller keeps its own reference. The unnamed statement is replaced; any
// other name must be free.
func (n *Names) Set(name []byte, s *Statement) error {
	if len(name) == 0 {
		if n.unnamed != s {
			s.retain()
			n.unnamed.Release()
			n.unnamed = s
		}
		return nil
	}
	if n.named[string(name)] != nil {
		return ErrNameTaken
	}
	cost := nameCost(len(name), s)
	if len(n.named) >= MaxNames || n.bytes+cost > MaxNameBytes {
		return ErrTooManyNames
	}
	if n.named == nil {
		n.named = make(map[string]*Statement)
	}
	s.retain()
	n.named[string(name)] = s
	n.bytes += cost
	return nil
}

// NameOf is a name of the statement, or of one with the same text and types; "" if none has.
func (n *Names) NameOf(s *Statement) string {
	if n == nil {
		return ""
	}
	for name, other := range n.named {
		if other.key.body == s.key.body {
			return name
		}
	}
	return ""
}

func nameCost(length int, s *Statement) int { return length + nameOverhead + s.Size() }

// Delete takes a name away, and reports whether it was there.
func (n *Names) Delete(name []byte) bool {
	s := n.Get(name)
	if s == nil {
		return false
	}
	if len(name) == 0 {
		n.unnamed = nil
	} else {
		delete(n.named, string(name))
		n.bytes -= nameCost(len(name), s)
	}
	s.Release()
	return true
}

// Clear takes all names away: DEALLOCATE ALL and DISCARD ALL, and the end of the client.
func (n *Names) Clear() {
	if n == nil {
		return
	}
	for _, s := range n.named {
		s.Release()
	}
	n.unnamed.Release()
	*n = Names{}
}

// Len is the number of names, without the unnamed statement.
func (n *Names) Len() int {
	if n == nil {
		return 0
	}
	return len(n.named)
}

// Bytes is the memory the names are counted with.
func (n *Names) Bytes() int {
	if n == nil {
		return 0
	}
	return n.bytes
}
