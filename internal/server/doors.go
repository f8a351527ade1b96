package server

import (
	"context"
	"net"
	"time"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/login"
)

// clientKeepAlive finds out within some minutes that a client's machine is gone. Probes to 10,000 idle clients are a
// hundred packets a second.
var clientKeepAlive = net.KeepAliveConfig{Enable: true, Idle: 2 * time.Minute, Interval: 20 * time.Second, Count: 4}

// door is a listener with the logins that come in by it.
type door struct {
	address  config.Address
	listener net.Listener
	server   *login.Server
	close    context.CancelFunc // ends it; nil before it was opened
}

// openDoor listens at an address.
func (s *Server) openDoor(ctx context.Context, address config.Address) (*door, error) {
	now := s.settings.Load()
	listener, err := login.Listen(ctx, address.Network, address.Address, clientKeepAlive, now.config.UnixSocketMode)
	if err != nil {
		return nil, err
	}
	server := login.New(login.Options{
		Listeners: []net.Listener{listener},
		Seating:   s,
		Cancel:    s.cancel,
		Admit:     s.admit,
		MaxLogins: now.config.Limits.MaxLogins,
		Log:       s.log.Logger,
	}, now.login)
	return &door{address: address, listener: listener, server: server}, nil
}

// openDoors lets clients in.
func (s *Server) openDoors(logins *stage) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, d := range s.doors {
		logins.run(d.server.Run)
		s.log.Info("usher listens", "address", d.address.String(), "version", s.options.Version)
	}
}

// closeDoors closes listeners that nobody was let in by.
func (s *Server) closeDoors() {
	for _, d := range s.doors {
		_ = d.listener.Close()
	}
	s.doors = nil
}
