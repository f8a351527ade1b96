package pgtest

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"sync"
)

// transcript keeps all that a process writes and wakes who waits for a line.
type transcript struct {
	mu    sync.Mutex // guards text and grown
	text  bytes.Buffer
	grown chan struct{} // closed and replaced at every write
}

func newTranscript() *transcript { return &transcript{grown: make(chan struct{})} }

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.grown)
	l.grown = make(chan struct{})
	return l.text.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *transcript) await(ctx context.Context, pattern *regexp.Regexp) (string, error) {
	for {
		l.mu.Lock()
		text, grown := l.text.String(), l.grown
		l.mu.Unlock()
		for line := range strings.Lines(text) {
			if line, whole := strings.CutSuffix(line, "\n"); whole && pattern.MatchString(line) {
				return line, nil
			}
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

func quoteLiteral(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
