//go:build integration

package transcript

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"
)

// tagWord stands in the files for a word that is different in each replay.
const tagWord = "$TAG"

// databaseWord stands for the database of the player.
const databaseWord = "$DATABASE"

// patience is how long a block may take. It is long because a slow machine is not a difference.
const patience = 10 * time.Second

// Player replays scripts against one address.
type Player struct {
	Target   string // whose divergences and skips apply: "postgres" or "usher"
	Network  string // "tcp" or "unix"
	Address  string
	User     string
	Database string

	// Direct runs SQL on PostgreSQL itself and returns how many rows came.
	Direct func(ctx context.Context, sql string) (rows int, err error)
	// Before, if set, runs before every block, so that a test can make server connections change hands.
	Before func()
	// Split, if set, cuts what a block sends into separately written pieces.
	Split func([]byte) [][]byte
}

// Recording holds the answers of each step, as lines.
type Recording [][]string

// replay is one run of a script.
type replay struct {
	*Player
	tag         string
	connections map[string]*connection
}

// Play replays a script and returns what the server answered. An error means that the script could not be
// played, not that an answer was unexpected.
func (p *Player) Play(ctx context.Context, script *Script) (Recording, error) {
	r := &replay{Player: p, tag: randomTag(), connections: map[string]*connection{}}
	defer func() {
		for _, open := range r.connections {
			open.socket.Close()
		}
	}()
	var recorded Recording
	for _, current := range script.steps {
		lines, err := r.play(ctx, current)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", script.Name, current.line+1, err)
		}
		lines = slices.DeleteFunc(lines, script.hidden)
		for i := range lines {
			lines[i] = strings.ReplaceAll(lines[i], r.tag, tagWord)
		}
		recorded = append(recorded, sortParameters(lines))
	}
	return recorded, nil
}

func randomTag() string {
	tag := []byte("t00000")
	for i := 1; i < len(tag); i++ {
		tag[i] = byte('a' + rand.IntN(26))
	}
	return string(tag)
}

// sortParameters puts neighbouring ParameterStatus lines in order: PostgreSQL promises none.
func sortParameters(lines []string) []string {
	const prefix = "ParameterStatus "
	for begin := 0; begin < len(lines); begin++ {
		end := begin
		for end < len(lines) && strings.HasPrefix(lines[end], prefix) {
			end++
		}
		slices.Sort(lines[begin:end])
		begin = max(begin, end)
	}
	return lines
}

func (r *replay) play(ctx context.Context, current step) ([]string, error) {
	switch current.kind {
	case stepConnect:
		_, err := r.login(current.connection, current.options)
		return nil, err
	case stepOpen:
		_, err := r.dial(current.connection)
		return nil, err
	case stepDrop:
		dropped, err := r.connection(current.connection)
		if err != nil {
			return nil, err
		}
		delete(r.connections, current.connection)
		return nil, dropped.socket.Close()
	case stepCancel:
		return nil, r.cancel(current.connection)
	case stepDirect:
		_, err := r.Direct(ctx, r.expand(current.sql))
		return nil, err
	case stepAwait:
		return nil, r.await(ctx, r.expand(current.sql))
	}
	if r.Before != nil {
		r.Before()
	}
	return r.block(current)
}

func (r *replay) expand(text string) string {
	return strings.NewReplacer(tagWord, r.tag, databaseWord, r.Database).Replace(text)
}

// await repeats a query on PostgreSQL itself until it returns a row.
func (r *replay) await(ctx context.Context, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		rows, err := r.Direct(ctx, sql)
		if err != nil {
			return fmt.Errorf("await %s: %w", sql, err)
		}
		if rows > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("await %s: no row in %v", sql, patience)
		case <-ticker.C:
		}
	}
}

// block sends the messages of a block and reads the answers.
func (r *replay) block(current step) ([]string, error) {
	c, err := r.connection(current.connection)
	if err != nil {
		return nil, err
	}
	var sent []byte
	end := current.until
	counting := end.message == ""
	if counting {
		end.message = "ReadyForQuery"
	}
	for _, line := range current.sends {
		encoded, err := encode(r.expand(line))
		if err != nil {
			return nil, err
		}
		sent = append(sent, encoded.bytes...)
		switch encoded.name {
		case "Query", "Sync", "FunctionCall", "Startup":
			if counting {
				end.times++
			}
		case "SSLRequest", "GSSENCRequest":
			if counting {
				end = until{message: "byte", times: 1}
			}
		}
	}
	return c.exchange(r.pieces(sent), end), nil
}

func (r *replay) pieces(sent []byte) [][]byte {
	if r.Split == nil || len(sent) == 0 {
		return [][]byte{sent}
	}
	return r.Split(sent)
}

// connection returns a connection of the script, logged in with the defaults at its first use.
func (r *replay) connection(name string) (*connection, error) {
	if open, ok := r.connections[name]; ok {
		return open, nil
	}
	return r.login(name, nil)
}

func (r *replay) dial(name string) (*connection, error) {
	socket, err := net.DialTimeout(r.Network, r.Address, patience)
	if err != nil {
		return nil, fmt.Errorf("open connection %q: %w", name, err)
	}
	opened := newConnection(socket)
	if previous := r.connections[name]; previous != nil {
		previous.socket.Close()
	}
	r.connections[name] = opened
	return opened, nil
}

func (r *replay) login(name string, options []token) (*connection, error) {
	opened, err := r.dial(name)
	if err != nil {
		return nil, err
	}
	wanted := map[string]string{"user": r.User, "database": r.Database, "application_name": "transcript"}
	for _, option := range options {
		wanted[option.key] = r.expand(option.text)
	}
	packet := &startup{version: 3 << 16}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		packet.parameters = append(packet.parameters, token{key: name, text: wanted[name]})
	}
	encoded, err := packet.Encode(nil)
	if err != nil {
		return nil, err
	}
	lines := opened.exchange([][]byte{encoded}, until{message: "ReadyForQuery", times: 1})
	if len(lines) == 0 || !strings.HasPrefix(lines[len(lines)-1], "ReadyForQuery") {
		return nil, fmt.Errorf("log in connection %q: %s", name, strings.Join(lines, "; "))
	}
	return opened, nil
}

// cancel sends the request on a connection of its own and waits until the server has taken it.
func (r *replay) cancel(name string) error {
	c, err := r.connection(name)
	if err != nil {
		return err
	}
	request := binary.BigEndian.AppendUint32(nil, uint32(12+len(c.secret)))
	request = binary.BigEndian.AppendUint32(request, 80877102)
	request = binary.BigEndian.AppendUint32(request, c.processID)
	request = append(request, c.secret...)
	socket, err := net.DialTimeout(r.Network, r.Address, patience)
	if err != nil {
		return fmt.Errorf("open cancel connection: %w", err)
	}
	defer socket.Close()
	socket.SetDeadline(time.Now().Add(patience))
	if _, err := socket.Write(request); err != nil {
		return fmt.Errorf("send cancel request: %w", err)
	}
	answer, err := io.ReadAll(socket)
	if len(answer) > 0 {
		return fmt.Errorf("a cancel request was answered with %q", answer)
	}
	if err != nil {
		return fmt.Errorf("wait for the end of the cancel connection: %w", err)
	}
	return nil
}
