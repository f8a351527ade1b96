//go:build integration

package transcript

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Script is a parsed file.
type Script struct {
	Name  string
	lines []string
	steps []step
	skips map[string]string // target → reason
	hides map[string]bool   // names of messages
}

type stepKind string

const (
	stepBlock   stepKind = "block"
	stepConnect stepKind = "connect"
	stepOpen    stepKind = "open"
	stepDrop    stepKind = "drop"
	stepCancel  stepKind = "cancel"
	stepDirect  stepKind = "direct"
	stepAwait   stepKind = "await"
)

// step is one thing the player does. Line numbers count from 0.
type step struct {
	kind       stepKind
	line       int
	connection string
	options    []token // of connect
	sql        string  // of direct and await

	// The rest belongs to blocks.
	sends      []string
	until      until
	golden     []string
	goldenLine int                 // the line the golden lines begin at, or would
	divergence map[string][]string // by target
}

// until says where reading the answers of a block ends.
type until struct {
	message string // "" means as many ReadyForQuery as the block asks for
	times   int
}

var (
	messageLine = regexp.MustCompile(`^([a-z][a-z0-9]*)?([<>])(?: (.*))?$`)
	untilLine   = regexp.MustCompile(`^(?:([a-z][a-z0-9]*): )?until ([A-Za-z]+)(?: x(\d+))?$`)
	reasonLine  = regexp.MustCompile(`^(diverges|skip) ([a-z]+): (.+)$`)
)

// Load reads a transcript file.
func Load(path string) (*Script, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read transcript: %w", err)
	}
	return Parse(strings.TrimSuffix(filepath.Base(path), ".txt"), string(text))
}

// Parse reads a transcript from its text.
func Parse(name, text string) (*Script, error) {
	p := &parser{script: &Script{
		Name: name, lines: strings.Split(strings.TrimSuffix(text, "\n"), "\n"),
		skips: map[string]string{}, hides: map[string]bool{},
	}}
	for number, line := range p.script.lines {
		if err := p.line(number, strings.TrimSpace(line)); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, number+1, err)
		}
	}
	for _, block := range p.blocks {
		p.script.steps = append(p.script.steps, *block)
	}
	return p.script, nil
}

// Skips tells whether the file is not meant for a target, and why.
func (s *Script) Skips(target string) (reason string, skip bool) {
	reason, skip = s.skips[target]
	return reason, skip
}

// hidden tells whether a line is of a message that the script leaves out of its recordings.
func (s *Script) hidden(line string) bool {
	name, _, _ := strings.Cut(line, " ")
	return s.hides[name]
}

// parser collects the steps; block is the one that still takes lines, if any.
type parser struct {
	script   *Script
	blocks   []*step
	block    *step
	diverges string // the target whose lines follow; "" while they are golden
}

func (p *parser) line(number int, line string) error {
	if line == "" || line[0] == '#' {
		p.block = nil
		return nil
	}
	if m := messageLine.FindStringSubmatch(line); m != nil {
		if m[2] == ">" {
			return p.send(number, m[1], m[3])
		}
		return p.answer(m[1], m[3])
	}
	if m := untilLine.FindStringSubmatch(line); m != nil {
		return p.until(number, m[1], m[2], m[3])
	}
	if m := reasonLine.FindStringSubmatch(line); m != nil {
		return p.reason(m[1], m[2], m[3])
	}
	p.block = nil
	return p.command(number, line)
}

// join returns the block that a sent message or an until belongs to: the open one while it has no answers.
func (p *parser) join(number int, connection string) *step {
	b := p.block
	if b == nil || b.connection != connection || len(b.golden) > 0 || b.until.message != "" || p.diverges != "" {
		b = &step{kind: stepBlock, line: number, connection: connection}
		p.blocks, p.block, p.diverges = append(p.blocks, b), b, ""
	}
	b.goldenLine = number + 1
	return b
}

func (p *parser) send(number int, connection, text string) error {
	if _, err := encode(strings.ReplaceAll(text, tagWord, "abcdef")); err != nil {
		return err
	}
	block := p.join(number, connection)
	block.sends = append(block.sends, text)
	return nil
}

func (p *parser) until(number int, connection, message, times string) error {
	block := p.join(number, connection)
	block.until = until{message: message, times: 1}
	if times != "" {
		var err error
		block.until.times, err = strconv.Atoi(times)
		return err
	}
	return nil
}

func (p *parser) answer(connection, text string) error {
	if p.block == nil || p.block.connection != connection {
		return fmt.Errorf("an answer of connection %q belongs to no block", connection)
	}
	if p.diverges != "" {
		p.block.divergence[p.diverges] = append(p.block.divergence[p.diverges], text)
		return nil
	}
	p.block.golden = append(p.block.golden, text)
	return nil
}

func (p *parser) reason(word, target, reason string) error {
	if word == "skip" {
		p.script.skips[target] = reason
		return nil
	}
	if p.block == nil {
		return fmt.Errorf("diverges belongs to no block")
	}
	if p.block.divergence == nil {
		p.block.divergence = map[string][]string{}
	}
	p.block.divergence[target] = []string{}
	p.diverges = target
	return nil
}

func (p *parser) command(number int, line string) error {
	word, rest, _ := strings.Cut(line, " ")
	next := &step{kind: stepKind(word), line: number}
	arguments, err := tokens(rest)
	if err != nil {
		return err
	}
	switch next.kind {
	case stepConnect, stepOpen, stepDrop, stepCancel:
		if len(arguments) > 0 && arguments[0].key == "" {
			next.connection, arguments = arguments[0].text, arguments[1:]
		}
		next.options = arguments
	case "hide":
		p.script.hides[rest] = true
		return nil
	case stepDirect, stepAwait:
		if len(arguments) != 1 {
			return fmt.Errorf("%s takes one string", word)
		}
		next.sql = arguments[0].text
	default:
		return fmt.Errorf("unknown line %q", line)
	}
	p.blocks = append(p.blocks, next)
	return nil
}

// Rewrite returns the file's text with the recorded answers in place of its golden lines.
func (s *Script) Rewrite(recorded Recording) string {
	var text strings.Builder
	next := 0
	for i, current := range s.steps {
		if current.kind != stepBlock {
			continue
		}
		for ; next < current.goldenLine; next++ {
			text.WriteString(s.lines[next] + "\n")
		}
		for _, answer := range recorded[i] {
			text.WriteString(current.connection + "< " + answer + "\n")
		}
		next += len(current.golden)
	}
	for ; next < len(s.lines); next++ {
		text.WriteString(s.lines[next] + "\n")
	}
	return text.String()
}
