package prepared

// Prove notes that a server has parsed the statement.
func (s *Statement) Prove() {
	if !s.proven.Load() {
		s.proven.Store(true)
	}
}

// Proven reports whether some server has parsed the statement, so that it is certain enough that others will.
func (s *Statement) Proven() bool { return s.proven.Load() }
