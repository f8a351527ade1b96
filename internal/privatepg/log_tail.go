package privatepg

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

const (
	// maxTailLines is how many log lines an error carries.
	maxTailLines = 15
	// maxTailLine cuts a line that carries a whole statement.
	maxTailLine = 400
)

// logTail passes a log on and remembers its last lines for errors.
type logTail struct {
	mu    sync.Mutex // guards lines and part; held across no I/O
	lines []string
	part  []byte // a line whose end has not come yet

	next io.Writer // nil: nobody listens
}

func newLogTail(next io.Writer) *logTail { return &logTail{next: next} }

// Write never fails: a log nobody can write must not end PostgreSQL.
func (t *logTail) Write(p []byte) (int, error) {
	t.keep(p)
	if t.next != nil {
		_, _ = t.next.Write(p)
	}
	return len(p), nil
}

func (t *logTail) keep(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		line, rest, whole := bytes.Cut(p, []byte{'\n'})
		if room := maxTailLine - len(t.part); room > 0 {
			t.part = append(t.part, line[:min(room, len(line))]...)
		}
		if !whole {
			return
		}
		t.lines = append(t.lines, string(t.part))
		if len(t.lines) > maxTailLines {
			t.lines = t.lines[1:]
		}
		t.part = t.part[:0]
		p = rest
	}
}

// String returns the last lines, without an end of line after the last.
func (t *logTail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := t.lines
	if len(t.part) > 0 {
		lines = append(lines[:len(lines):len(lines)], string(t.part))
	}
	return strings.Join(lines, "\n")
}
