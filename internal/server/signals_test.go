package server

import (
	"os"
	"syscall"
	"testing"

	"github.com/usher-pg/usher/internal/status"
)

func TestSignals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		signal os.Signal
		ending bool
		want   order
	}{
		{syscall.SIGHUP, false, order{reload: true}},
		{syscall.SIGUSR1, false, order{pause: true}},
		{syscall.SIGUSR2, false, order{resume: true}},
		{syscall.SIGTERM, false, order{shutdown: status.ShutdownWaitForClients}},
		{syscall.SIGINT, false, order{shutdown: status.ShutdownWaitForServers}},
		{syscall.SIGQUIT, false, order{shutdown: status.ShutdownImmediate}},
		{syscall.SIGTERM, true, order{shutdown: status.ShutdownImmediate}},
		{syscall.SIGINT, true, order{shutdown: status.ShutdownImmediate}},
		{syscall.SIGQUIT, true, order{shutdown: status.ShutdownImmediate}},
		{syscall.SIGHUP, true, order{reload: true}},
		{syscall.SIGWINCH, false, order{}},
	} {
		if got := meaning(tt.signal, tt.ending); got != tt.want {
			t.Errorf("%v, ending %v: %+v, want %+v", tt.signal, tt.ending, got, tt.want)
		}
	}
	for _, s := range Signals {
		if meaning(s, false) == (order{}) {
			t.Errorf("%v is listened to and means nothing", s)
		}
	}
}
