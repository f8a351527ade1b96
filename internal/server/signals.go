package server

import (
	"context"
	"os"
	"syscall"

	"github.com/usher-pg/usher/internal/status"
)

// Signals are those that mean something to usher; the meanings are PgBouncer's.
var Signals = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2,
}

// order is what a signal orders: one of its fields.
type order struct {
	reload, pause, resume bool
	shutdown              status.ShutdownMode
}

// meaning is what a signal orders while a shutdown is under way, or none is. Who sends one more signal to a
// usher that ends is tired of waiting.
func meaning(signal os.Signal, ending bool) order {
	switch signal {
	case syscall.SIGHUP:
		return order{reload: true}
	case syscall.SIGUSR1:
		return order{pause: true}
	case syscall.SIGUSR2:
		return order{resume: true}
	case syscall.SIGQUIT:
		return order{shutdown: status.ShutdownImmediate}
	case syscall.SIGTERM, syscall.SIGINT:
		switch {
		case ending:
			return order{shutdown: status.ShutdownImmediate}
		case signal == syscall.SIGTERM:
			return order{shutdown: status.ShutdownWaitForClients}
		}
		return order{shutdown: status.ShutdownWaitForServers}
	}
	return order{}
}

// Obey carries out what the signals that arrive mean, until ctx ends. A signal never waits for the one before
// it.
func (s *Server) Obey(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case signal := <-signals:
			s.log.Info("signal", "signal", signal.String())
			go s.obey(ctx, signal, meaning(signal, s.orders.ending() != ""))
		}
	}
}

func (s *Server) obey(ctx context.Context, signal os.Signal, o order) {
	var err error
	switch {
	case o.reload:
		err = s.Reload(ctx)
	case o.pause:
		err = s.Pause(ctx, "")
	case o.resume:
		err = s.Resume(ctx, "")
	case o.shutdown != "":
		err = s.Shutdown(ctx, o.shutdown)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("signal not obeyed", "signal", signal.String(), "error", err)
	}
}
