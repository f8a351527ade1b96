package console

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/usher-pg/usher/internal/status"
)

// socket is a client or a server connection; SHOW CLIENTS, SERVERS and SOCKETS show both with the same columns.
type socket struct {
	status.Connection
	kind      string // C or S
	state     string
	lane      string
	pinReason string
	pins      uint64
	reserve   bool
}

func clientSocket(c *status.Client, state string) socket {
	return socket{
		Connection: c.Connection, kind: "C", state: state,
		lane: c.Lane, pinReason: c.PinReason, pins: c.Pins,
	}
}

func serverSocket(s *status.Server, state string) socket {
	return socket{Connection: s.Connection, kind: "S", state: state, reserve: s.Reserve}
}

// clientSockets leaves out clients that are still logging in, as PgBouncer does.
func clientSockets(s *status.Snapshot) []socket {
	sockets := make([]socket, 0, len(s.Clients))
	for i := range s.Clients {
		if c := &s.Clients[i]; c.State != status.ClientLogin {
			sockets = append(sockets, clientSocket(c, string(c.State)))
		}
	}
	return sockets
}

func serverSockets(s *status.Snapshot) []socket {
	sockets := make([]socket, len(s.Servers))
	for i := range s.Servers {
		sockets[i] = serverSocket(&s.Servers[i], string(s.Servers[i].State))
	}
	return sockets
}

// stateOfClientSocket is the name SHOW SOCKETS has for a client's state. Cancel requests are not in that list.
var stateOfClientSocket = map[status.ClientState]string{
	status.ClientActive:  "cl_active",
	status.ClientIdle:    "cl_active",
	status.ClientWaiting: "cl_waiting",
	status.ClientLogin:   "cl_login",
}

var stateOfServerSocket = map[status.ServerState]string{
	status.ServerActive: "sv_active",
	status.ServerIdle:   "sv_idle",
	status.ServerUsed:   "sv_used",
	status.ServerTested: "sv_tested",
	status.ServerNew:    "sv_login",
}

func allSockets(s *status.Snapshot) []socket {
	sockets := make([]socket, 0, len(s.Clients)+len(s.Servers))
	for i := range s.Clients {
		if state, ok := stateOfClientSocket[s.Clients[i].State]; ok {
			sockets = append(sockets, clientSocket(&s.Clients[i], state))
		}
	}
	for i := range s.Servers {
		if state, ok := stateOfServerSocket[s.Servers[i].State]; ok {
			sockets = append(sockets, serverSocket(&s.Servers[i], state))
		}
	}
	return sockets
}

// activeSockets are those with bytes under way.
func activeSockets(s *status.Snapshot) []socket {
	return slices.DeleteFunc(allSockets(s), func(k socket) bool { return k.Unsent == 0 && k.Unread == 0 })
}

var socketColumns = []column[socket]{
	textColumn("type", func(k *socket) string { return k.kind }),
	textColumn("user", func(k *socket) string { return cmp.Or(k.User, "(nouser)") }),
	textColumn("database", func(k *socket) string { return cmp.Or(k.Database, "(nodb)") }),
	textColumn("replication", func(k *socket) string {
		return string(cmp.Or(k.Replication, status.ReplicationNone))
	}),
	textColumn("state", func(k *socket) string { return k.state }),
	textColumn("addr", func(k *socket) string { return k.Address }),
	intColumn("port", func(k *socket) int { return k.Port }),
	textColumn("local_addr", func(k *socket) string { return k.LocalAddress }),
	intColumn("local_port", func(k *socket) int { return k.LocalPort }),
	timeColumn("connect_time", func(k *socket) time.Time { return k.ConnectedAt }),
	timeColumn("request_time", func(k *socket) time.Time {
		if k.RequestedAt.IsZero() {
			return k.ConnectedAt
		}
		return k.RequestedAt
	}),
	intColumn("wait", func(k *socket) int { return wholeSeconds(k.Wait) }),
	intColumn("wait_us", func(k *socket) int { return restMicroseconds(k.Wait) }),
	boolColumn("close_needed", func(k *socket) bool { return k.CloseNeeded }),
	textColumn("ptr", func(k *socket) string { return pointer(k.ID) }),
	textColumn("link", func(k *socket) string { return pointer(k.Link) }),
	intColumn("remote_pid", func(k *socket) int { return k.RemotePID }),
	textColumn("tls", func(k *socket) string { return k.TLS }),
	textColumn("application_name", func(k *socket) string { return k.Application }),
	intColumn("prepared_statements", func(k *socket) int { return k.Statements }),
	idColumn("id", func(k *socket) uint64 { return k.ID }),
}

// bufferColumns are PgBouncer's positions in its packet buffer. usher parses in a scratch buffer that a connection does
// not own, so only what is left of a message and what is unsent mean anything here.
var bufferColumns = []column[socket]{
	intColumn("recv_pos", noInt[socket]),
	intColumn("pkt_pos", noInt[socket]),
	intColumn("pkt_remain", func(k *socket) int { return k.Unread }),
	intColumn("send_pos", noInt[socket]),
	intColumn("send_remain", noInt[socket]),
	intColumn("pkt_avail", noInt[socket]),
	intColumn("send_avail", func(k *socket) int { return k.Unsent }),
}

var loopColumn = intColumn("loop", func(k *socket) int { return k.Loop })

var clientTable = table[socket]{
	items: clientSockets,
	columns: slices.Concat(socketColumns, []column[socket]{
		optionalColumn("lane", func(k *socket) string { return k.lane }),
		optionalColumn("pin_reason", func(k *socket) string { return k.pinReason }),
		numericColumn("pins", func(k *socket) uint64 { return k.pins }),
		loopColumn,
	}),
}

var serverTable = table[socket]{
	items: serverSockets,
	columns: slices.Concat(socketColumns, []column[socket]{
		boolColumn("reserve", func(k *socket) bool { return k.reserve }),
		loopColumn,
	}),
}

var socketTable = table[socket]{
	items:   allSockets,
	columns: slices.Concat(socketColumns, bufferColumns, []column[socket]{loopColumn}),
}

var activeSocketTable = table[socket]{items: activeSockets, columns: socketTable.columns}

// descriptor is an open descriptor for SHOW FDS.
type descriptor struct {
	fd             int
	task           string
	user, database string
	address        string
	port, link     int
}

func descriptors(s *status.Snapshot) []descriptor {
	fds := make(map[uint64]int, len(s.Clients)+len(s.Servers))
	for i := range s.Clients {
		fds[s.Clients[i].ID] = s.Clients[i].Descriptor
	}
	for i := range s.Servers {
		fds[s.Servers[i].ID] = s.Servers[i].Descriptor
	}
	list := make([]descriptor, 0, len(s.Listeners)+len(fds))
	for _, l := range s.Listeners {
		list = append(list, descriptor{fd: l.Descriptor, task: "pooler", address: l.Address, port: l.Port})
	}
	add := func(task string, c *status.Connection) {
		list = append(list, descriptor{
			fd: c.Descriptor, task: task, user: c.User, database: c.Database,
			address: c.Address, port: c.Port, link: fds[c.Link],
		})
	}
	for i := range s.Clients {
		add("client", &s.Clients[i].Connection)
	}
	for i := range s.Servers {
		add("server", &s.Servers[i].Connection)
	}
	return list
}

// descriptorTable has PgBouncer's columns and none of its secrets: cancel is 0, the password and keys are NULL.
var descriptorTable = table[descriptor]{
	items: descriptors,
	columns: []column[descriptor]{
		intColumn("fd", func(d *descriptor) int { return d.fd }),
		textColumn("task", func(d *descriptor) string { return d.task }),
		optionalColumn("user", func(d *descriptor) string { return d.user }),
		optionalColumn("database", func(d *descriptor) string { return d.database }),
		textColumn("addr", func(d *descriptor) string { return d.address }),
		intColumn("port", func(d *descriptor) int { return d.port }),
		bigintColumn("cancel", func(*descriptor) int64 { return 0 }),
		intColumn("link", func(d *descriptor) int { return d.link }),
		nullColumn[descriptor]("client_encoding", typeText),
		nullColumn[descriptor]("std_strings", typeText),
		nullColumn[descriptor]("datestyle", typeText),
		nullColumn[descriptor]("timezone", typeText),
		nullColumn[descriptor]("password", typeText),
		nullColumn[descriptor]("scram_client_key", typeBytea),
		nullColumn[descriptor]("scram_server_key", typeBytea),
	},
}

func wholeSeconds(d time.Duration) int     { return int(d / time.Second) }
func restMicroseconds(d time.Duration) int { return int(d % time.Second / time.Microsecond) }

// pointer is what stands in the columns where PgBouncer prints an address: unique, and the same in ptr and link.
func pointer(id uint64) string {
	if id == 0 {
		return ""
	}
	return "0x" + strconv.FormatUint(id, 16)
}

func noInt[T any](*T) int { return 0 }
