package session

// call is a call of set_config(name, value, is_local) whose arguments are being read. When the name is one
// literal, it is known; when is_local is a plain true, the call leaves nothing behind.
type call struct {
	depth    int // of the parentheses around its arguments
	argument int
	tokens   int // of this argument
	cast     bool
	named    bool
	local    bool
	from, to int // what the literal contains that is the name
}

// openCall begins a call whose opening parenthesis has been read.
func (r *reader) openCall() {
	if r.open == maxNesting {
		r.found |= Setting | SettingHidden
		return
	}
	r.calls[r.open] = call{depth: r.depth, tokens: -1}
	r.open++
}

// finishCall ends the innermost call.
func (r *reader) finishCall() {
	r.open--
	c := &r.calls[r.open]
	if c.argument == 2 && c.local {
		return
	}
	r.found |= Setting
	if !c.named || !validName(r.sql[c.from:c.to]) {
		r.found |= SettingHidden
		return
	}
	r.names.collectName(r.sql[c.from:c.to])
}

// take takes a token of the arguments, or the parenthesis that opens them.
func (c *call) take(r *reader, t token, k keyword) {
	if t.is(',') && r.depth == c.depth {
		c.argument++
		c.tokens, c.cast = 0, false
		return
	}
	c.tokens++
	if c.tokens == 0 {
		return
	}
	first := c.tokens == 1
	if !first {
		if t.is(':') { // as in 'app.user'::text
			c.cast = true
			return
		}
		if t.kind == word && c.cast {
			c.cast = false
			return
		}
	}
	switch c.argument {
	case 0:
		c.named = first && t.kind == literal
		if c.named {
			c.from, c.to = t.from+1, max(t.from+1, t.to-1)
		}
	case 2:
		text := r.sql[t.from:t.to]
		c.local = first && (k == kwTrue || t.kind == literal && (string(text) == "'true'" || string(text) == "'t'"))
	}
}
