//go:build integration

package conformance

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// hostileConfig has a pool for the witness and one for the misbehaving, and limits that make tests short.
const hostileConfig = `
auth: {type: trust}
admin_users: [postgres]
limits: {max_clients: 20000, max_message_size: 4MB}
timeouts: {client_login: 2s}
pools:
  calm:    {url: "{{url}}", size: {max: 2}}
  hostile: {url: "{{url}}", size: {max: 4}}
  one:     {url: "{{url}}", size: {max: 1}}
`

// hostile runs a test of bad input: a witness works all the time, and afterwards usher holds no more than
// before.
func hostile(t *testing.T, scenario func(t *testing.T, target *target)) {
	t.Helper()
	server := startPostgres(t)
	if targetNames()["postgres"] {
		t.Run("postgres", func(t *testing.T) {
			watched := newWitness(t, directly(server))
			scenario(t, directly(server))
			watched.end()
		})
	}
	t.Run("usher", func(t *testing.T) {
		target := startAlone(t, hostileConfig, "hostile")
		before := measure(t, target)
		watched := newWitness(t, target.in("calm"))
		scenario(t, target)
		watched.end()
		settles(t, target, before)
	})
}

// loginBytes are what a client may send instead of a login.
func loginBytes() map[string][]byte {
	packet := func(code uint32, body string) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
		return append(binary.BigEndian.AppendUint32(b, code), body...)
	}
	return map[string][]byte{
		"nothing":                     {},
		"one byte":                    {0},
		"half a length":               {0, 0},
		"length zero":                 {0, 0, 0, 0, 0, 3, 0, 0},
		"length three":                {0, 0, 0, 3, 0, 3, 0, 0},
		"length of two gigabytes":     {0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0},
		"negative length":             {0xff, 0xff, 0xff, 0xff, 0, 3, 0, 0},
		"a length that is never met":  packet(3<<16, "user\x00postgres\x00")[:14],
		"too long":                    packet(3<<16, "user\x00"+strings.Repeat("x", 10_001)+"\x00\x00"),
		"no terminator":               packet(3<<16, "user\x00postgres\x00"),
		"a name without a value":      packet(3<<16, "user\x00postgres\x00database\x00"),
		"bytes behind the terminator": packet(3<<16, "user\x00postgres\x00\x00rest"),
		"no user":                     packet(3<<16, "database\x00hostile\x00\x00"),
		"an empty user":               packet(3<<16, "user\x00\x00database\x00hostile\x00\x00"),
		"protocol zero":               packet(0, "\x00"),
		"protocol two":                packet(2<<16, strings.Repeat("\x00", 288)),
		"protocol four":               packet(4<<16, "user\x00postgres\x00\x00"),
		"an unknown request":          packet(1234<<16|9999, ""),
		"HTTP":                        []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"TLS without being asked": []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" +
			strings.Repeat("x", 500)),
		"SSH":                          []byte("SSH-2.0-OpenSSH_9.2\r\n"),
		"a query":                      []byte("Q\x00\x00\x00\x0dSELECT 1\x00"),
		"many requests for encryption": []byte(strings.Repeat("\x00\x00\x00\x08\x04\xd2\x16\x2f", 1000)),
		"a cancel without a key":       packet(80877102, ""),
		"a cancel with half a key":     packet(80877102, "\x00\x00\x00\x01\x00"),
		"a cancel with a long key":     packet(80877102, strings.Repeat("k", 261)),
		"a cancel of nobody":           packet(80877102, "\x7f\xff\xff\xfe\x00\x00\x00\x00"),
		"a parameter of control bytes": packet(3<<16, "user\x00postgres\x00\x01\x02\x00\x03\x00\x00"),
		"a thousand parameters": packet(3<<16, "user\x00postgres\x00database\x00hostile\x00"+
			strings.Repeat("a\x00b\x00", 1000)+"\x00"),
		"options that do not end": packet(3<<16,
			"user\x00postgres\x00database\x00hostile\x00options\x00-c a='\\\x00\x00"),
	}
}

// TestHostileLogins: whatever comes instead of a login is refused or ignored, and never answered with a
// session.
func TestHostileLogins(t *testing.T) {
	t.Parallel()
	hostile(t, func(t *testing.T, target *target) {
		var group sync.WaitGroup
		for name, sent := range loginBytes() {
			group.Go(func() {
				answer, err := provoke(target.address(), sent, true)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if strings.Contains(string(answer), "server_version") && name != "options that do not end" {
					t.Errorf("%s: a session began: %q", name, answer)
				}
			})
		}
		random := newRandom(t)
		for range 100 {
			noise := make([]byte, random.IntN(200))
			for i := range noise {
				noise[i] = byte(random.Uint32() >> random.IntN(24))
			}
			group.Go(func() {
				if _, err := provoke(target.address(), noise, true); err != nil {
					t.Errorf("noise %x: %v", noise, err)
				}
			})
		}
		group.Wait()
	})
}

// provoke sends bytes on a new connection, closes its own side if told to, and reads until the other side
// closes.
func provoke(address string, sent []byte, finish bool) ([]byte, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	conn.Write(sent) // it may be refused before all of it is sent
	if finish {
		conn.(*net.TCPConn).CloseWrite()
	}
	answer, err := io.ReadAll(conn)
	if err != nil && !isNetwork(err) {
		return answer, fmt.Errorf("the connection was not closed: %w", err)
	}
	return answer, nil
}

// TestSilentLoginsAreClosed when the time for logging in is over, whatever part of it they have sent.
func TestSilentLoginsAreClosed(t *testing.T) {
	t.Parallel()
	target := startAlone(t, hostileConfig, "hostile")
	before := measure(t, target)
	watched := newWitness(t, target.in("calm"))
	startup := startupPacket(target)
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			// Not even a byte: such a client may be left to the kernel, where it costs nothing.
			sent := startup[:1+i%(len(startup)-2)]
			if _, err := provoke(target.address(), sent, false); err != nil {
				t.Errorf("after %d bytes: %v", len(sent), err)
			}
		})
	}
	group.Wait()
	watched.end()
	settles(t, target, before)
}

func startupPacket(target *target) []byte {
	packet, err := (&pgproto3.StartupMessage{
		ProtocolVersion: pgproto3.ProtocolVersion30,
		Parameters:      map[string]string{"user": target.user, "database": target.database},
	}).Encode(nil)
	if err != nil {
		panic("bug: " + err.Error())
	}
	return packet
}

// typed is a message with a type, a declared length and a body that need not fit.
func typed(kind byte, length uint32, body string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, length), body...)
}

// whole is a message whose length is right.
func whole(kind byte, body string) []byte { return typed(kind, uint32(4+len(body)), body) }

// sessionBytes are what a client that is logged in may send. The connection must end, or an error be
// answered.
func sessionBytes() map[string][]byte {
	sync := "S\x00\x00\x00\x04"
	cases := map[string][]byte{
		"an unknown type":                  whole('z', ""),
		"type zero":                        whole(0, "x"),
		"type 255":                         whole(0xff, "x"),
		"a message of a server":            whole('Z', "I"),
		"a second login":                   []byte("\x00\x00\x00\x09\x00\x03\x00\x00\x00"),
		"a password nobody asked for":      append(whole('p', "secret\x00"), whole('Q', "\x00")...),
		"length zero":                      typed('Q', 0, ""),
		"length three":                     typed('Q', 3, ""),
		"negative length":                  typed('Q', 0xffffffff, "SELECT 1\x00"),
		"length of two gigabytes":          typed('Q', 0x7fffffff, "SELECT 1\x00"),
		"a Sync with a body":               whole('S', "body"),
		"a query without end":              whole('Q', "SELECT 1"),
		"a query with a NUL inside":        whole('Q', "SELECT 1\x00; SELECT 2\x00"),
		"an empty query message":           whole('Q', ""),
		"a Parse without end":              append(whole('P', "name"), sync...),
		"a Parse without types":            append(whole('P', "\x00SELECT 1\x00"), sync...),
		"a Parse of 65535 types":           append(whole('P', "\x00SELECT 1\x00\xff\xff"), sync...),
		"a Parse with a rest":              append(whole('P', "\x00SELECT 1\x00\x00\x00rest"), sync...),
		"a Bind without end":               append(whole('B', "\x00"), sync...),
		"a Bind of many formats":           append(whole('B', "\x00\x00\xff\xff"), sync...),
		"a Bind of a negative length":      append(whole('B', "\x00\x00\x00\x00\x00\x01\x80\x00\x00\x00"), sync...),
		"a Bind of a long value":           append(whole('B', "\x00\x00\x00\x00\x00\x01\x7f\xff\xff\xff"), sync...),
		"a Describe of nothing":            append(whole('D', ""), sync...),
		"a Describe of another kind":       append(whole('D', "X\x00"), sync...),
		"a Close of nothing":               append(whole('C', ""), sync...),
		"a Close of another kind":          append(whole('C', "X\x00"), sync...),
		"a Close without end":              append(whole('C', "Sname"), sync...),
		"an Execute without limit":         append(whole('E', "\x00"), sync...),
		"an Execute without end":           append(whole('E', "portal"), sync...),
		"a function call without anything": whole('F', ""),
		"a function call of many formats":  whole('F', "\x00\x00\x00\xb1\xff\xff"),
	}
	for kind := byte(1); kind < 128; kind++ {
		cases[fmt.Sprintf("a giant of type %q", kind)] = typed(kind, 0x7ffffff0, "giant")
	}
	return cases
}

// TestHostileSessions: malformed, oversized and out-of-order messages after the login.
func TestHostileSessions(t *testing.T) {
	t.Parallel()
	hostile(t, func(t *testing.T, target *target) {
		gate := make(chan struct{}, 40)
		var group sync.WaitGroup
		for name, sent := range sessionBytes() {
			group.Go(func() {
				gate <- struct{}{}
				defer func() { <-gate }()
				answer, err := provoke(target.address(), append(startupPacket(target), sent...), true)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				_, after, began := strings.Cut(string(answer), "Z\x00\x00\x00\x05I")
				if !began {
					t.Errorf("%s: the login was answered with %q", name, answer)
				}
				if strings.Contains(after, "D\x00\x00\x00") {
					t.Errorf("%s: rows came back: %q", name, after)
				}
			})
		}
		group.Wait()
	})
}

// TestOversizedMessagesAreRefused with an error that names the limit; the client that stays below it is
// served.
func TestOversizedMessagesAreRefused(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	usher := startUsher(t, server, hostileConfig)
	target := through(usher, server, "hostile")
	client := target.simple(t)
	client.expect("SELECT length('"+strings.Repeat("x", 3<<20)+"')", fmt.Sprint(3<<20))
	_, err := client.try("SELECT length('" + strings.Repeat("x", 5<<20) + "')")
	if sqlState(err) != protocolViolation {
		t.Errorf("a message beyond the limit: %v, expected SQLSTATE %s", err, protocolViolation)
	}
	target.simple(t).expect("SELECT 'fine'", "fine")
}

// TestSlowClientsHoldNoServerConnection: clients that dribble a request byte by byte, or stop in the middle
// of it, do not keep others from the only server connection.
func TestSlowClientsHoldNoServerConnection(t *testing.T) {
	t.Parallel()
	target := startAlone(t, hostileConfig, "one")
	before := measure(t, target)
	client := target.simple(t)
	var slow []net.Conn
	request := whole('Q', "SELECT 'slow'\x00")
	for i := range 100 {
		conn, err := net.Dial("tcp", target.address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		if _, err := conn.Write(startupPacket(target)); err != nil {
			t.Fatal(err)
		}
		if err := untilReady(conn); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(request[:1+i%(len(request)-1)]); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, conn)
		client.expect("SELECT 'quick'", "quick")
	}
	for i := range request { // now they go on, each a byte at a time
		for number, conn := range slow {
			if i > number%(len(request)-1) {
				conn.Write(request[i : i+1])
			}
		}
		client.expect("SELECT 'quick'", "quick")
	}
	for _, conn := range slow {
		if err := untilReady(conn); err != nil {
			t.Errorf("a slow request was not answered: %v", err)
		}
		conn.Close()
	}
	client.conn.Close(t.Context())
	settles(t, target, before)
}

// untilReady reads up to the next ReadyForQuery.
func untilReady(conn net.Conn) error {
	frontend := pgproto3.NewFrontend(oneByOne{conn}, conn)
	for {
		message, err := frontend.Receive()
		if err != nil {
			return err
		}
		switch m := message.(type) {
		case *pgproto3.ReadyForQuery:
			return nil
		case *pgproto3.ErrorResponse:
			return fmt.Errorf("%s %s %s", m.Severity, m.Code, m.Message)
		}
	}
}

// oneByOne keeps a reader with a buffer from reading beyond the message it wants.
type oneByOne struct{ io.Reader }

func (o oneByOne) Read(into []byte) (int, error) { return o.Reader.Read(into[:1]) }

// TestClientsThatDoNotRead: a result nobody reads waits at the server and not in usher's memory; others are
// served, and the server connection comes back when the client is gone.
func TestClientsThatDoNotRead(t *testing.T) {
	t.Parallel()
	target := startAlone(t, hostileConfig, "hostile")
	before := measure(t, target)
	watched := newWitness(t, target)
	memory := residentMemory(t, target.usher.PID())
	var conns []net.Conn
	for range 3 {
		conn, err := net.Dial("tcp", target.address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.Write(append(startupPacket(target),
			whole('Q', "SELECT repeat('x', 1000) FROM generate_series(1, 300000)\x00")...))
		conns = append(conns, conn)
	}
	eventually(t, patience, "all of them are stuck", func() bool {
		return serverConnections(t, target, "AND wait_event = 'ClientWrite' AND query LIKE '%repeat%'") == 3
	})
	const allowed = 48 << 20 // 900 MB are waiting
	if grown := residentMemory(t, target.usher.PID()) - memory; grown > allowed {
		t.Errorf("usher has grown by %d MB", grown>>20)
	}
	for _, conn := range conns {
		conn.Close()
	}
	watched.end()
	settles(t, target, before)
}

// TestFloodOfCancels: cancel requests of nobody, thousands of them, hit nobody.
func TestFloodOfCancels(t *testing.T) {
	t.Parallel()
	hostile(t, func(t *testing.T, target *target) {
		random := newRandom(t)
		var group sync.WaitGroup
		gate := make(chan struct{}, 50)
		for range 1000 {
			key := binary.BigEndian.AppendUint64(nil, random.Uint64())
			group.Go(func() {
				gate <- struct{}{}
				defer func() { <-gate }()
				request := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 16), 80877102)
				if answer, err := provoke(target.address(), append(request, key...), false); err != nil ||
					len(answer) > 0 {
					t.Errorf("a cancel request was answered with %q, %v", answer, err)
				}
			})
		}
		group.Wait()
	})
}
