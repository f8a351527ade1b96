package server

import (
	"context"
	"net"
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/login"
	"github.com/usher-pg/usher/internal/routing"
)

// clientKeepAlive finds out within some minutes that a client's machine is gone. Probes to 10,000 idle
// clients are a hundred packets a second.
var clientKeepAlive = net.KeepAliveConfig{
	Enable: true, Idle: 2 * time.Minute, Interval: 20 * time.Second, Count: 4,
}

// door is a listener with the logins that come in by it.
type door struct {
	address  config.Address
	listener net.Listener
	server   *login.Server
	close    context.CancelFunc // ends the logins and closes the listener; nil before the door was opened
}

// hang listens at addresses, or at none of them.
func (s *Server) hang(ctx context.Context, addresses []config.Address, now *routing.Settings) (
	[]*door, error,
) {
	var doors []*door
	for _, a := range addresses {
		listener, err := login.Listen(ctx, a.Network, a.Address, clientKeepAlive, now.Config.UnixSocketMode)
		if err != nil {
			takeDown(doors)
			return nil, err
		}
		doors = append(doors, &door{address: a, listener: listener, server: login.New(login.Options{
			Listeners: []net.Listener{listener},
			Seating:   s,
			Prompt:    s,
			Cancel:    s.cancel,
			Admit:     s.admit,
			MaxLogins: now.Config.Limits.MaxLogins,
			Rank:      s.rank,
			Log:       s.log.Logger,
		}, now.Login)})
	}
	return doors, nil
}

// takeDown closes doors that were never opened.
func takeDown(doors []*door) {
	for _, d := range doors {
		_ = d.listener.Close()
	}
}

// letIn opens doors: clients come in by them. It does nothing when no client is to come in any more.
func (s *Server) letIn(doors []*door) {
	if !s.add(doors) {
		takeDown(doors)
		return
	}
	for _, d := range doors {
		s.log.Info("usher listens", "address", d.address.String(), "version", s.options.Version)
	}
}

func (s *Server) add(doors []*door) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.shut {
		return false
	}
	for _, d := range doors {
		ctx, cancel := context.WithCancel(s.logins.ctx)
		d.close = cancel
		s.logins.run(func(context.Context) error { return d.server.Run(ctx) })
	}
	s.doors = append(s.doors, doors...)
	return true
}

// shutDoors ends all logins. No door is opened any more.
func (s *Server) shutDoors() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.shut = true
	s.logins.stop()
}

// strange are the addresses wanted that have no door yet.
func (s *Server) strange(wanted []config.Address) []config.Address {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.DeleteFunc(slices.Clone(wanted), func(a config.Address) bool {
		return slices.ContainsFunc(s.doors, func(d *door) bool { return d.address == a })
	})
}

// closeOthers closes the doors that are not wanted any more. Who came in by them stays.
func (s *Server) closeOthers(wanted []config.Address) {
	for _, d := range s.takeOthers(wanted) {
		d.close()
		s.log.Info("usher listens no more", "address", d.address.String())
	}
}

func (s *Server) takeOthers(wanted []config.Address) []*door {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var others []*door
	s.doors = slices.DeleteFunc(s.doors, func(d *door) bool {
		if slices.Contains(wanted, d.address) {
			return false
		}
		others = append(others, d)
		return true
	})
	return others
}

// tellDoors makes logins that begin from now on use new settings.
func (s *Server) tellDoors(now *routing.Settings) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, d := range s.doors {
		d.server.Reload(now.Login)
		d.server.SetMaxLogins(now.Config.Limits.MaxLogins)
	}
}
