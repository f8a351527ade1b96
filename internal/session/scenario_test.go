package session

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/usher-pg/usher/internal/scenario"
	"github.com/usher-pg/usher/internal/wire"
)

// TestScenarios plays the text scenarios in testdata. A file is a list of blocks: commands, a line "----",
// what they print. A tracker lives until the next "start". The commands:
//
//	start [NAME=VALUE …] [| NAME=VALUE …]
//	                         Start of a client whose server connection has reported what is in front
//	                         of the bar, and which asks for what is behind it; ~ is a space
//	query TEXT               Observe(Scan(TEXT), TEXT)
//	execute                  Observe(0, nil): an Execute of a statement that leaves nothing
//	truncated TEXT           the same, with Unsure: the text was longer
//	tag TAG                  CommandTag
//	error                    Error
//	status NAME=VALUE        ParameterStatus
//	ready STATUS [more]      Ready
//	run TEXT                 query, the first word of the text as the tag, ready I
//	probe [KEY=VALUE …]      Apply; keys: set.NAME, custom.NAME, user, role, channels, temp, locks,
//	                         cursors, sql
//	failed                   ProbeFailed
//	synced FROM…             Synced from a server connection that reported this
//	show                     settings and pins
func TestScenarios(t *testing.T) {
	t.Parallel()
	scenario.Run(t, playFile)
}

// playFile is not scenario.Play: a block that prints nothing has no ----.
func playFile(t *testing.T, data string) string {
	var player player
	var out []string
	for _, block := range strings.Split(strings.TrimSpace(data), "\n\n") {
		commands, _, _ := strings.Cut(block, "\n----")
		if strings.TrimSpace(commands) == "----" {
			t.Fatalf("a block without commands: %q", block)
		}
		var printed []string
		for _, line := range strings.Split(commands, "\n") {
			if line != "" && line[0] != '#' {
				if text := player.play(t, line); text != "" {
					printed = append(printed, text)
				}
			}
		}
		block = commands
		if len(printed) > 0 {
			block += "\n----\n" + strings.Join(printed, "\n")
		}
		out = append(out, block)
	}
	return strings.Join(out, "\n\n") + "\n"
}

type player struct {
	tracker Tracker
}

func (p *player) play(t *testing.T, line string) string {
	command, rest, _ := strings.Cut(line, " ")
	sql := []byte(strings.ReplaceAll(rest, `\n`, "\n"))
	switch command {
	case "start":
		reported, own, _ := strings.Cut(rest, "|")
		settings, _, err := Welcome(params(t, reported), params(t, own))
		if err != nil {
			return err.Error()
		}
		p.tracker.Start(settings)
	case "query":
		p.tracker.Observe(Scan(sql), sql, 0)
	case "execute":
		p.tracker.Observe(0, nil, 0)
	case "truncated":
		p.tracker.Observe(Scan(sql)|Unsure, sql, 0)
	case "tag":
		if p.tracker.CommandTag([]byte(rest)) {
			return "clear prepared statements"
		}
	case "error":
		p.tracker.Error()
	case "status":
		for _, s := range params(t, rest) {
			p.tracker.ParameterStatus(s.Name, s.Value)
		}
	case "ready":
		return p.act(p.tracker.Ready(rest[0], strings.HasSuffix(rest, "more")))
	case "run":
		p.tracker.Observe(Scan(sql), sql, 0)
		word, _, _ := strings.Cut(rest, " ")
		p.tracker.CommandTag([]byte(strings.ToUpper(word)))
		return p.act(p.tracker.Ready('I', false))
	case "probe":
		return p.act(p.tracker.Apply(probeOf(t, rest)))
	case "failed":
		p.tracker.ProbeFailed()
		return p.show()
	case "synced":
		p.tracker.Synced(Reported(params(t, rest)))
		return p.show()
	case "show":
		return p.show()
	default:
		t.Fatalf("no such command: %s", line)
	}
	return ""
}

func (p *player) act(a Action) string {
	switch a.Kind {
	case Nothing:
		return "nothing" + p.pins()
	case AskServer:
		var names []string
		for _, part := range strings.Split(string(p.tracker.AppendProbe(nil)), "current_setting('")[1:] {
			if name, _, _ := strings.Cut(part, "'"); name != role {
				names = append(names, name)
			}
		}
		return strings.TrimSpace("ask " + strings.Join(names, " "))
	}
	if a.Client == a.Server {
		return fmt.Sprintf("changed%s\n  both: %s", p.pins(), brief(a.Client))
	}
	return fmt.Sprintf("changed%s\n  client: %s\n  server: %s", p.pins(), brief(a.Client), brief(a.Server))
}

func (p *player) show() string { return "settings: " + brief(p.tracker.Settings()) + p.pins() }

func (p *player) pins() string {
	if p.tracker.Pins() == 0 {
		return ""
	}
	return " (pinned: " + p.tracker.Pins().String() + ")"
}

// brief lists a set: values as name=value, with * when they are reported, statements as they are.
func brief(s *Settings) string {
	var parts []string
	for _, e := range s.all() {
		text := e.text
		if e.form == formValue {
			text = e.name + "=" + e.text
		}
		if e.reported {
			text += "*"
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, "; ")
}

func params(t *testing.T, text string) []wire.Param {
	t.Helper()
	var list []wire.Param
	for _, field := range strings.Fields(text) {
		name, value, ok := strings.Cut(field, "=")
		if !ok {
			t.Fatalf("not NAME=VALUE: %s", field)
		}
		list = append(list, wire.Param{Name: name, Value: strings.ReplaceAll(value, "~", " ")})
	}
	return list
}

func probeOf(t *testing.T, text string) *Probe {
	t.Helper()
	p := &Probe{LoginUser: "me", SessionUser: "me", Role: "none"}
	counts := map[string]*int{
		"channels": &p.Channels, "temp": &p.Temporary, "locks": &p.Locks, "cursors": &p.Cursors,
		"sql": &p.SQLPrepared,
	}
	for _, s := range params(t, text) {
		if count, ok := counts[s.Name]; ok {
			*count, _ = strconv.Atoi(s.Value)
			continue
		}
		kind, name, _ := strings.Cut(s.Name, ".")
		switch kind {
		case "set":
			p.Settings = append(p.Settings, wire.Param{Name: name, Value: s.Value})
		case "custom":
			p.Custom = append(p.Custom, wire.Param{Name: name, Value: s.Value})
		case "user":
			p.SessionUser = s.Value
		case "role":
			p.Role = s.Value
		default:
			t.Fatalf("no such part of a probe: %s", s.Name)
		}
	}
	return p
}
