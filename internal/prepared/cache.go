package prepared

// Cache knows which statements are prepared on one server connection, in the order of their last use. It
// holds a reference to each. It counts a statement from the moment its Parse is forwarded. All methods may be
// called on nil, which has nothing and takes nothing.
type Cache struct {
	limit int
	index map[*Statement]int32
	nodes []node // nodes[0] is the anchor: its next is the most recently used, its previous the least
	free  int32  // the first unused node, linked by next; 0: none
}

// node is an element of the list.
type node struct {
	statement      *Statement
	previous, next int32
}

// NewCache makes a cache that should not have more than limit statements. With a limit of 0 or less it is
// nil.
func NewCache(limit int) *Cache {
	if limit <= 0 {
		return nil
	}
	return &Cache{limit: limit}
}

// Has reports whether the statement is prepared, and if so makes it the most recently used.
func (c *Cache) Has(s *Statement) bool {
	if c == nil {
		return false
	}
	i, ok := c.index[s]
	if ok && c.nodes[0].next != i {
		c.unlink(i)
		c.link(i)
	}
	return ok
}

// Add counts a statement as prepared, as the most recently used. It must not be there. Afterwards the cache
// may have more than its limit: call Evict until it returns nil.
func (c *Cache) Add(s *Statement) {
	if c == nil {
		return
	}
	if _, ok := c.index[s]; ok {
		panic("bug: statement is prepared already")
	}
	if c.index == nil {
		c.index = make(map[*Statement]int32)
		c.nodes = make([]node, 1, 8)
	}
	i := c.free
	if i != 0 {
		c.free = c.nodes[i].next
	} else {
		i = int32(len(c.nodes))
		c.nodes = append(c.nodes, node{})
	}
	s.retain()
	c.nodes[i].statement = s
	c.index[s] = i
	c.link(i)
}

// Evict takes the least recently used statement out of a cache that has more than its limit, and returns it
// to be closed on the server connection. It returns nil when there is nothing to do. The result may be read,
// but is not held.
func (c *Cache) Evict() *Statement {
	if c == nil || len(c.index) <= c.limit {
		return nil
	}
	s := c.nodes[c.nodes[0].previous].statement
	c.Remove(s)
	return s
}

// Restore counts a statement as prepared again whose Close the server has skipped. It may be there.
func (c *Cache) Restore(s *Statement) {
	if c != nil && !c.Has(s) {
		c.Add(s)
	}
}

// Remove counts a statement as no longer prepared, and reports whether it was.
func (c *Cache) Remove(s *Statement) bool {
	if c == nil {
		return false
	}
	i, ok := c.index[s]
	if !ok {
		return false
	}
	c.unlink(i)
	delete(c.index, s)
	c.nodes[i] = node{next: c.free}
	c.free = i
	s.Release()
	return true
}

// Clear counts nothing as prepared: after DEALLOCATE ALL and DISCARD ALL, and when the server connection is
// closed.
func (c *Cache) Clear() {
	if c == nil {
		return
	}
	for s := range c.index {
		s.Release()
	}
	*c = Cache{limit: c.limit}
}

// Len is the number of statements that are prepared.
func (c *Cache) Len() int {
	if c == nil {
		return 0
	}
	return len(c.index)
}

// Oldest calls yield for each statement, the least recently used first, until it returns false.
func (c *Cache) Oldest(yield func(*Statement) bool) {
	if c == nil || c.nodes == nil {
		return
	}
	for i := c.nodes[0].previous; i != 0; i = c.nodes[i].previous {
		if !yield(c.nodes[i].statement) {
			return
		}
	}
}

// link puts a node in front.
func (c *Cache) link(i int32) {
	first := c.nodes[0].next
	c.nodes[i].previous, c.nodes[i].next = 0, first
	c.nodes[first].previous = i
	c.nodes[0].next = i
}

func (c *Cache) unlink(i int32) {
	n := c.nodes[i]
	c.nodes[n.previous].next = n.next
	c.nodes[n.next].previous = n.previous
}
