package relay

// flow cuts a piece of input into what goes to the other side as it is, what is left out and what is put in. As long as
// nothing is left out or put in, the input itself is what is written: no byte is copied.
type flow struct {
	buf   []byte
	start int    // where what goes as it is begins
	pos   int    // where it ends, and what is not yet looked at begins
	made  []byte // what goes before buf[start:]

	unbound []byte // a Parse of the unnamed statement, without the name, whose Bind has not come yet; part of buf
}

// flowKept is how large a flow's own buffer may stay.
const flowKept = 4 * scratchLen

func (f *flow) begin(buf []byte) { f.buf, f.start, f.pos, f.unbound = buf, 0, 0, nil }

// keep lets n more bytes go as they are.
func (f *flow) keep(n int) { f.pos += n }

// skip leaves n bytes out.
func (f *flow) skip(n int) {
	f.spill()
	f.pos += n
	f.start = f.pos
}

// spill moves what goes as it is to made, so that more can be appended there.
func (f *flow) spill() {
	if f.start < f.pos {
		f.made = append(f.made, f.buf[f.start:f.pos]...)
		f.start = f.pos
	}
}

// flush writes everything that goes to the other side.
func (f *flow) flush(to *conn) {
	if len(f.made) == 0 {
		to.write(f.buf[f.start:f.pos])
		f.start = f.pos
		return
	}
	f.spill()
	to.write(f.made)
	f.discard()
}

// discard forgets what was to go: the other side is no more.
func (f *flow) discard() {
	f.start = f.pos
	if cap(f.made) > flowKept {
		f.made = nil
	}
	f.made = f.made[:0]
}
