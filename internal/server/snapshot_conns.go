package server

import (
	"net"
	"strconv"
	"strings"

	"github.com/usher-pg/usher/internal/relay"
	"github.com/usher-pg/usher/internal/status"
)

func (g *gathering) clients(shot *status.Snapshot) {
	views := g.server.relay.Clients(g.ctx)
	shot.Clients = make([]status.Client, 0, len(views))
	for i := range views {
		v := &views[i]
		shot.Clients = append(shot.Clients, status.Client{
			Connection: g.connection(v),
			State:      clientState(v),
			Lane:       v.Lane,
			PinReason:  v.Pins,
			Pins:       uint64(v.Pinnings),
			Held:       v.Held,
		})
	}
}

// clientState is where a client is, in PgBouncer's words but one: there "active" includes idle clients, since
// 1.24 not.
func clientState(v *relay.ConnView) status.ClientState {
	switch v.Place {
	case "waiting":
		return status.ClientWaiting
	case "linked":
		return status.ClientActive
	}
	return status.ClientIdle
}

func (g *gathering) servers(shot *status.Snapshot) {
	views := g.server.relay.Servers(g.ctx)
	shot.Servers = make([]status.Server, 0, len(views))
	for i := range views {
		v := &views[i]
		c := g.connection(v)
		c.CloseNeeded, c.RemotePID = v.Old, int(v.ProcessID)
		shot.Servers = append(shot.Servers, status.Server{Connection: c, State: serverState(v)})
	}
}

func serverState(v *relay.ConnView) status.ServerState {
	switch v.Place {
	case "linked":
		if v.Busy {
			return status.ServerTested
		}
		return status.ServerActive
	case "resetting":
		return status.ServerTested
	case "cancelling":
		return status.ServerBeingCanceled
	case "new":
		return status.ServerNew
	}
	return status.ServerIdle
}

func (g *gathering) connection(v *relay.ConnView) status.Connection {
	c := status.Connection{
		ID:          v.ID,
		Link:        v.Link,
		User:        v.Pool.User(),
		Database:    v.Pool.Name(),
		Replication: status.ReplicationNone,
		ConnectedAt: g.at(v.Connected),
		RequestedAt: g.at(v.Requested),
		Wait:        v.Wait,
		TLS:         v.TLS,
		Application: v.Application,
		Statements:  v.Statements,
		Descriptor:  v.Descriptor,
		Loop:        v.Loop,
		Unsent:      v.Unsent,
		Unread:      v.Unread,
	}
	if v.Requested == 0 {
		c.RequestedAt = c.ConnectedAt
	}
	if v.Pins == replicationPin {
		c.Replication = status.ReplicationLogical
	}
	c.Address, c.Port = hostAndPort(v.Remote)
	c.LocalAddress, c.LocalPort = hostAndPort(v.Local)
	if c.Address == unixAddress && c.Port == 0 {
		c.Port = c.LocalPort
	}
	if c.LocalAddress == unixAddress && c.LocalPort == 0 {
		c.LocalPort = c.Port
	}
	return c
}

// replicationPin is the reason for which the relay pins a replication connection.
const replicationPin = "replication"

// unixAddress stands for the address of a Unix socket, as in PgBouncer.
const unixAddress = "unix"

// hostAndPort takes an address apart. The port of a Unix socket is in its name, as libpq has it.
func hostAndPort(a net.Addr) (host string, port int) {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.IP.String(), a.Port
	case *net.UnixAddr:
		if i := strings.LastIndex(a.Name, socketPrefix); i >= 0 {
			port, _ = strconv.Atoi(a.Name[i+len(socketPrefix):]) // 0 for a name of another kind
		}
		return unixAddress, port
	}
	return "", 0
}

const socketPrefix = ".s.PGSQL."

func (s *Server) listeners() []status.Listener {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.orders.ending() != "" {
		return nil
	}
	var list []status.Listener
	for _, d := range s.doors {
		host, port := hostAndPort(d.listener.Addr())
		if host == unixAddress {
			host = d.address.Address
		}
		list = append(list, status.Listener{Address: host, Port: port})
	}
	return list
}

func (s *Server) loginsUnderWay() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	n := 0
	for _, d := range s.doors {
		n += d.server.Logins()
	}
	return n
}
