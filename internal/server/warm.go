package server

import (
	"sync"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/config"
)

// maxWarm bounds the users whose verifiers are computed ahead: at 2 ms each that is some CPU time, and nobody
// measures a login's time among so many users.
const maxWarm = 10_000

// warmer computes verifiers of users whose passwords are known, so that a user's first login takes as long as
// others.
type warmer struct {
	stop chan struct{} // nil when nothing is under way
	wait sync.WaitGroup
}

// warm begins with the users of new settings, and forgets those of older ones.
func (w *warmer) warm(c *config.Config, users *auth.Users) {
	w.end()
	if c.Auth.Type != config.AuthSCRAM || users.Len() > maxWarm {
		return
	}
	stop := make(chan struct{})
	w.stop = stop
	w.wait.Go(func() { users.Warm(stop) })
}

// end ends what is under way.
func (w *warmer) end() {
	if w.stop != nil {
		close(w.stop)
		w.stop = nil
	}
	w.wait.Wait()
}
