package server

import (
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/config"
)

// spareDescriptors is what usher needs besides clients and servers: listeners, logins and cancel requests
// under way, the event loops', files.
const spareDescriptors = 200

// RaiseDescriptors lets the process open as many files as it may, and warns when that is less than a
// configuration needs. The Go runtime does the same at its start, but not on every system, and not where
// nobody calls os.Open.
func RaiseDescriptors(c *config.Config, log *slog.Logger) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	if limit.Cur < limit.Max {
		raised := limit
		raised.Cur = limit.Max
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err == nil {
			limit = raised
		}
	}
	if needed := descriptorsNeeded(c); uint64(limit.Cur) < needed {
		log.Warn("the limit of open files is below what the configuration allows",
			"limit", uint64(limit.Cur), "needed", needed, "hint", "raise it with ulimit -n or LimitNOFILE")
	}
	return nil
}

// descriptorsNeeded is how many files a configuration may have open: a client has one, and so has a server
// connection.
func descriptorsNeeded(c *config.Config) uint64 {
	n := c.Limits.MaxClients + spareDescriptors
	for _, p := range c.Pools {
		n += p.Size.Max + p.Size.Reserve
	}
	return uint64(n)
}
